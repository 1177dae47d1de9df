"""What the 32 threads of a warp, its lanes, find out together: CUDA source that others begin with."""

WARP = """
const int lanes = 32;

// In five steps each lane takes over what the lane at a distance of 16, 8, 4, 2, 1 has so far. All get the same result.
__device__ float warp_sum(float value)
{
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffff, value, distance);
    return value;
}

__device__ float warp_max(float value)
{
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, distance));
    return value;
}

// The largest number of the row that a warp works on; of -inf and no others, the lowest finite number.
__device__ float row_max(const float* x, long long columns)
{
    float largest = -3.402823466e38f;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        largest = fmaxf(largest, x[j]);
    return warp_max(largest);
}

// The row that a warp works on: blocks have several warps, threadIdx.y counts them.
__device__ long long row_of_warp()
{
    return (long long)blockIdx.x * blockDim.y + threadIdx.y;
}
"""
