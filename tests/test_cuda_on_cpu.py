"""What the stand-in for kernels has to show: CUDA's threads, and the errors that a GPU would not tell."""

import numpy as np
import pytest

from tests import cuda_on_cpu
from tests.cupy_stand_in import CUPY

pytestmark = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="needs g++, and Linux")
XP = CUPY


def kernel(signature, body):
    code = f'extern "C" __global__ void kernel({signature})\n{{\n{body}\n}}'
    return cuda_on_cpu.RawModule(code=code).get_function("kernel")


def test_every_thread_of_every_block_has_its_indices():
    x = XP.empty((2, 3, 4, 8), np.float32)
    kernel("float* x", """
        int block = blockIdx.y * gridDim.x + blockIdx.x, thread = threadIdx.y * blockDim.x + threadIdx.x;
        x[32 * block + thread] = 1000 * blockIdx.y + 100 * blockIdx.x + 10 * threadIdx.y + threadIdx.x;
    """)((3, 2), (8, 4), (x,))
    np.testing.assert_array_equal(x.get(), sum(np.ogrid[0:2000:1000, 0:300:100, 0:40:10, 0:8]))


REVERSE = """
    __shared__ float shared[64];
    shared[threadIdx.x] = x[threadIdx.x];
    {}
    x[threadIdx.x] = shared[63 - threadIdx.x];
"""


def test_threads_wait_for_each_other():
    x = XP.arange(64).astype(np.float32)
    kernel("float* x", REVERSE.format("__syncthreads();"))((1,), (64,), (x,))
    np.testing.assert_array_equal(x.get(), np.arange(64)[::-1])


def test_a_forgotten_barrier_is_noticed():
    with pytest.raises(RuntimeError, match="depends on the order of threads"):
        kernel("float* x", REVERSE.format(""))((1,), (64,), (XP.ones(64, np.float32),))


def test_blocks_that_add_to_one_number_are_noticed():
    x = XP.asarray(np.float32([0, 1, -1, 1e-8]))
    with pytest.raises(RuntimeError, match="depends on the order of threads"):
        kernel("float* x", "if (threadIdx.x == 0) x[0] += x[1 + blockIdx.x];")((3,), (32,), (x,))


def test_lanes_exchange_numbers_within_their_warp():
    x = XP.arange(64).astype(np.float32)
    kernel("float* x", "x[threadIdx.x] = __shfl_xor_sync(0xffffffff, x[threadIdx.x], 5);")((1,), (64,), (x,))
    np.testing.assert_array_equal(x.get(), np.arange(64) ^ 5)


@pytest.mark.parametrize("body", [
    "if (threadIdx.x < 32) __syncthreads();",
    "if (threadIdx.x < 40) return; __syncthreads();",
    "if (threadIdx.x == 3) x[0] = __shfl_xor_sync(0xffffffff, x[0], 1);",
    "if (threadIdx.x < 5) __syncthreads(); else\n__syncthreads();",
])
def test_threads_that_wait_in_vain_are_noticed(body):
    with pytest.raises(RuntimeError, match="wait for others"):
        kernel("float* x", body)((1,), (64,), (XP.ones(64, np.float32),))


def test_what_lies_beside_an_array_is_guarded():
    x, y = XP.ones(64, np.float32), XP.ones(1, np.float32)
    for place in ("x[64]", "x[-1]"):
        with pytest.raises(RuntimeError, match="wrote outside of an array"):
            kernel("float* x", f"{place} = 0;")((1,), (32,), (x,))
        with pytest.raises(RuntimeError, match="or what lies beside an array"):
            kernel("const float* x, float* y", f"y[0] = {place};")((1,), (32,), (x, y))


def test_arguments_must_be_what_the_parameters_say():
    start = kernel("const float* x, float eps, long long n", "")
    x, eps, n = XP.ones((2, 3), np.float32), np.float32(1), np.int64(6)
    start((1,), (32,), (x, eps, n))
    for wrong in [(x, eps), (x, eps, n, n), (x, 1.0, n), (x, eps, 6), (x, np.float64(1), n), (x, eps, np.int32(6)),
                  (x.T, eps, n), (x.astype(np.float64), eps, n), (np.ones((2, 3), np.float32), eps, n), (None, eps, n)]:
        with pytest.raises(TypeError, match="kernel: "):
            start((1,), (32,), wrong)


def test_a_struct_is_passed_by_value():
    code = """struct Pair { float* x[2]; long long sizes[2]; };
              extern "C" __global__ void kernel(const Pair pair, float y)
              { if (threadIdx.x < pair.sizes[blockIdx.x]) pair.x[blockIdx.x][threadIdx.x] = y; }"""
    start = cuda_on_cpu.RawModule(code=code).get_function("kernel")
    arrays = [XP.zeros(n, np.float32) for n in (3, 5)]
    pair = np.zeros(1, [("x", np.uint64, 2), ("sizes", np.int64, 2)])
    pair["x"], pair["sizes"] = [array.data.ptr for array in arrays], [3, 4]
    start((2,), (32,), (pair, np.float32(1)))
    np.testing.assert_array_equal(arrays[0].get(), [1, 1, 1])
    np.testing.assert_array_equal(arrays[1].get(), [1, 1, 1, 1, 0])
    for wrong in (np.zeros(2, pair.dtype), np.zeros(1, [("x", np.uint64, 2)]), arrays[0]):
        with pytest.raises(TypeError, match="expected a NumPy array of one Pair of 32 bytes"):
            start((1,), (32,), (wrong, np.float32(1)))
    with pytest.raises(ValueError, match="more than 4,096 bytes of arguments"):
        start((1,), (32,), (np.zeros(200, pair.dtype), np.float32(1)))


@pytest.mark.parametrize(("grid", "block"), [((1,), (2048,)), ((1,), (33,)), ((1, 70_000), (32,))])
def test_no_more_threads_than_a_gpu_has(grid, block):
    with pytest.raises(ValueError, match="no GPU takes a grid"):
        kernel("long long n", "")(grid, block, (np.int64(0),))


def test_a_grid_of_no_blocks_is_one_of_a_single_block_as_in_cupy():
    x = XP.zeros(1, np.float32)
    kernel("float* x", "x[0] = 1;")((0,), (32,), (x,))
    assert x.get() == 1
