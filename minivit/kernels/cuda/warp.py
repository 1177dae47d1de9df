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

// The row that a warp works on: blocks have several warps, threadIdx.y counts them.
__device__ long long row_of_warp()
{
    return (long long)blockIdx.x * blockDim.y + threadIdx.y;
}
"""
