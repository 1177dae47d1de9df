"""Products of matrices by cuBLASLt, through NVIDIA's bindings for Python (nvmath-python).

cuBLASLt is told how matrices lie in memory (their layouts), finds an algorithm for them, and can then be called as
often as wanted, also while CuPy captures a graph, where its own products are refused.
(NVIDIA, cuBLAS documentation, "Using the cuBLASLt API")
"""

import functools

import numpy as np
from nvmath import CudaDataType
from nvmath.bindings import cublas
from nvmath.bindings import cublasLt as lt

COMPUTE_TYPES = {
    "float32": cublas.ComputeType.COMPUTE_32F,
    "tf32": cublas.ComputeType.COMPUTE_32F_FAST_TF32,
    "bfloat16": cublas.ComputeType.COMPUTE_32F_FAST_16BF,
}
FLOAT = CudaDataType.CUDA_R_32F
WORKSPACE = 32 << 20  # bytes: what the documentation recommends for Hopper, and more than for the GPUs before it
SCALARS = np.array([1, 0], np.float32)  # D = 1 A B + 0 C
ONE, ZERO = SCALARS.ctypes.data, SCALARS.ctypes.data + SCALARS.itemsize
try:
    HANDLE = lt.create()
except (lt.cuBLASLtError, RuntimeError) as error:
    raise ImportError(f"nvmath-python finds no cuBLASLt that works: {error}") from error


class Product:
    """D = A B for matrices that lie in one way, `count` of them at equal distances.

    Parameters
    ----------
    a, b, d : (transposed, rows, columns, leading dimension, distance)
        How a matrix lies, column after column, and whether it is multiplied transposed. Distances and leading
        dimensions, those between columns, are counted in numbers.
    count : int
    alignments : three int
        Of the first numbers of A, B and D, in bytes: powers of 2, at most 256.
    precision : str

    Raises
    ------
    NotImplementedError
        If cuBLASLt has no algorithm.
    """

    def __init__(self, a, b, d, count, alignments, precision):
        self.layouts = [_layout(*matrix[1:], count) for matrix in (a, b, d)]
        self.operation = lt.matmul_desc_create(COMPUTE_TYPES[precision], FLOAT)
        attribute = lt.MatmulDescAttribute
        for name, (transposed, *_) in ((attribute.TRANSA, a), (attribute.TRANSB, b)):
            operation = cublas.Operation.T if transposed else cublas.Operation.N
            _set(lt.matmul_desc_set_attribute, self.operation, name, np.int32(operation))
        self.algorithm = self._find(alignments)

    def _find(self, alignments):
        attribute, preference = lt.MatmulPreferenceAttribute, lt.matmul_preference_create()
        _set(lt.matmul_preference_set_attribute, preference, attribute.MAX_WORKSPACE_BYTES, np.uint64(WORKSPACE))
        names = (attribute.MIN_ALIGNMENT_A_BYTES, attribute.MIN_ALIGNMENT_B_BYTES, attribute.MIN_ALIGNMENT_C_BYTES,
                 attribute.MIN_ALIGNMENT_D_BYTES)
        for name, alignment in zip(names, (*alignments, alignments[-1]), strict=True):
            _set(lt.matmul_preference_set_attribute, preference, name, np.uint32(alignment))
        best, found = lt.MatmulHeuristicResult(1), np.zeros(1, np.int32)
        try:
            lt.matmul_algo_get_heuristic(HANDLE, self.operation, *self.layouts, self.layouts[-1], preference, 1,
                                         best.ptr, found.ctypes.data)
        except lt.cuBLASLtError as error:
            raise NotImplementedError(str(error)) from error
        finally:
            lt.matmul_preference_destroy(preference)
        if not found[0]:
            raise NotImplementedError("cuBLASLt has no algorithm for these layouts")
        return best  # begins with the algorithm

    def __call__(self, a, b, d, workspace, stream):
        """Start the product of the matrices at these addresses; it runs on while Python goes on."""
        of_a, of_b, of_d = self.layouts
        lt.matmul(HANDLE, self.operation, ONE, a, of_a, b, of_b, ZERO, d, of_d, d, of_d, self.algorithm.ptr,
                  workspace, WORKSPACE, stream)


@functools.cache
def workspace(cupy, stream):
    """Memory for intermediate results: a stream runs one product at a time, so they share it.

    A captured graph goes on using that of the stream that captured it.
    """
    return cupy.empty(WORKSPACE, np.uint8)


def _layout(rows, columns, leading, distance, count):
    layout = lt.matrix_layout_create(FLOAT, rows, columns, leading)
    attribute = lt.MatrixLayoutAttribute
    _set(lt.matrix_layout_set_attribute, layout, attribute.BATCH_COUNT, np.int32(count))
    _set(lt.matrix_layout_set_attribute, layout, attribute.STRIDED_BATCH_OFFSET, np.int64(distance))
    return layout


def _set(setter, descriptor, name, value):
    value = np.array([value])  # the library reads it from memory
    setter(descriptor, name, value.ctypes.data, value.nbytes)
