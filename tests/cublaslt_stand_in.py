"""A stand-in for nvmath-python's bindings of cuBLASLt: multiplies in the CPU's memory what the descriptors describe.

It refuses what cuBLASLt refuses or would misread: layouts that do not fit each other or whose columns overlap, an
algorithm that was found for other layouts, precision or alignment, a workspace too small, attributes of another size
than the library reads. `calls` has what was multiplied: (compute type, batch count, transposed, transposed).

`modules()` gives what to put into sys.modules.
"""

import ctypes
import itertools
import types
from enum import IntEnum

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tests import cuda_streams

ComputeType = IntEnum("ComputeType", {"COMPUTE_32F": 68, "COMPUTE_32F_FAST_16BF": 75, "COMPUTE_32F_FAST_TF32": 77})
Operation = IntEnum("Operation", {"N": 0, "T": 1, "C": 2})
CudaDataType = IntEnum("CudaDataType", {"CUDA_R_32F": 0})
MatrixLayoutAttribute = IntEnum("MatrixLayoutAttribute", {"BATCH_COUNT": 5, "STRIDED_BATCH_OFFSET": 6})
MatmulDescAttribute = IntEnum("MatmulDescAttribute", {"TRANSA": 3, "TRANSB": 4})
MatmulPreferenceAttribute = IntEnum("MatmulPreferenceAttribute", {
    "MAX_WORKSPACE_BYTES": 1, "MIN_ALIGNMENT_A_BYTES": 5, "MIN_ALIGNMENT_B_BYTES": 6, "MIN_ALIGNMENT_C_BYTES": 7,
    "MIN_ALIGNMENT_D_BYTES": 8})
TYPES = {"BATCH_COUNT": np.int32, "STRIDED_BATCH_OFFSET": np.int64, "TRANSA": np.int32, "TRANSB": np.int32,
         "MAX_WORKSPACE_BYTES": np.uint64, **{f"MIN_ALIGNMENT_{which}_BYTES": np.uint32 for which in "ABCD"}}
HANDLE, NEEDED = 7, 1 << 20  # bytes of workspace
calls = []
_descriptors, _numbers = {}, itertools.count(1000)


class cuBLASLtError(Exception):
    """What the library answers instead of success."""


class MatmulHeuristicResult:
    """Algorithms, in memory of the caller."""

    def __init__(self, size=1):
        assert size == 1
        self.memory = np.zeros(12, np.uint64)  # 96 bytes, as in cublasLtMatmulHeuristicResult_t
        self.ptr = self.memory.ctypes.data


def create():
    return HANDLE


def _describe(**attributes):
    number = next(_numbers)
    _descriptors[number] = types.SimpleNamespace(**attributes)
    return number


def matrix_layout_create(type, rows, cols, ld):
    if not (rows > 0 and cols > 0 and ld >= rows and type == CudaDataType.CUDA_R_32F):
        raise cuBLASLtError(f"no layout of {rows} rows and {cols} columns has leading dimension {ld}")
    return _describe(rows=rows, cols=cols, ld=ld, BATCH_COUNT=1, STRIDED_BATCH_OFFSET=0)


def matmul_desc_create(compute_type, scale_type):
    assert scale_type == CudaDataType.CUDA_R_32F
    return _describe(compute_type=ComputeType(compute_type), TRANSA=0, TRANSB=0)


def matmul_preference_create():
    return _describe(MAX_WORKSPACE_BYTES=0, **{f"MIN_ALIGNMENT_{which}_BYTES": 256 for which in "ABCD"})


def matmul_preference_destroy(pref):
    del _descriptors[pref]


def _set_attribute(kind):
    def set_attribute(descriptor, attr, buf, size_in_bytes):
        value = _at(buf, TYPES[kind(attr).name], 1)
        assert size_in_bytes == value.nbytes
        setattr(_descriptors[descriptor], kind(attr).name, int(value[0]))
    return set_attribute


matrix_layout_set_attribute = _set_attribute(MatrixLayoutAttribute)
matmul_desc_set_attribute = _set_attribute(MatmulDescAttribute)
matmul_preference_set_attribute = _set_attribute(MatmulPreferenceAttribute)


def _at(address, dtype, count):
    memory = (ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


def _state(operation, *layouts):
    """A number for everything that an algorithm was chosen for."""
    return hash(tuple(tuple(vars(_descriptors[number]).values()) for number in (operation, *layouts))) % 2 ** 63


def matmul_algo_get_heuristic(light_handle, operation_desc, adesc, bdesc, cdesc, ddesc, preference,
                              requested_algo_count, heuristic_results_array, return_algo_count):
    assert light_handle == HANDLE
    wanted = _descriptors[preference]
    if wanted.MAX_WORKSPACE_BYTES < NEEDED:
        raise cuBLASLtError("CUBLAS_STATUS_NOT_SUPPORTED")
    result = _at(heuristic_results_array, np.uint64, 12)
    result[0] = _state(operation_desc, adesc, bdesc, ddesc)
    result[1:5] = [getattr(wanted, f"MIN_ALIGNMENT_{which}_BYTES") for which in "ABCD"]
    _at(return_algo_count, np.int32, 1)[0] = requested_algo_count


def matmul(light_handle, compute_desc, alpha, a, adesc, b, bdesc, beta, c, cdesc, d, ddesc, algo, workspace,
           workspace_size_in_bytes, stream):
    operation, of_a, of_b, of_d = (_descriptors[number] for number in (compute_desc, adesc, bdesc, ddesc))
    algorithm = _at(algo, np.uint64, 8)
    assert light_handle == HANDLE
    assert algorithm[0] == _state(compute_desc, adesc, bdesc, ddesc), "the algorithm was found for another product"
    for address, alignment in zip((a, b, c, d), algorithm[1:5], strict=True):
        assert address % int(alignment) == 0, "the algorithm was found for arrays at another alignment"
    assert workspace_size_in_bytes >= NEEDED
    assert workspace % 256 == 0
    _at(workspace, np.uint8, 100)[:] = 255  # nobody may keep anything there
    assert (c, cdesc) == (d, ddesc)
    assert (_at(alpha, np.float32, 1)[0], _at(beta, np.float32, 1)[0]) == (1, 0)
    count = of_d.BATCH_COUNT
    assert count == of_a.BATCH_COUNT == of_b.BATCH_COUNT > 0
    left, right, result = _matrices(a, of_a), _matrices(b, of_b), _matrices(d, of_d)
    left = left.swapaxes(1, 2) if operation.TRANSA else left
    right = right.swapaxes(1, 2) if operation.TRANSB else right
    if left.shape[2] != right.shape[1] or result.shape != (count, left.shape[1], right.shape[2]):
        raise cuBLASLtError(f"{left.shape} x {right.shape} is not {result.shape}")
    assert count == 1 or of_d.STRIDED_BATCH_OFFSET > 0, "all matrices of a batch were written to one place"

    def product():
        result[...] = np.einsum("bik,bkj->bij", left, right, dtype=np.float64)
    cuda_streams.launch(product)
    calls.append((operation.compute_type.name, count, bool(operation.TRANSA), bool(operation.TRANSB)))


def _matrices(address, layout):
    """(batch, rows, columns) of a layout."""
    strides = [4 * n for n in (layout.STRIDED_BATCH_OFFSET, 1, layout.ld)]
    shape = layout.BATCH_COUNT, layout.rows, layout.cols
    count = 1 + sum((n - 1) * stride // 4 for n, stride in zip(shape, strides, strict=True))
    return as_strided(_at(address, np.float32, count), shape, strides)


def modules():
    """The modules to put into sys.modules, by name."""
    import sys
    nvmath, bindings, cublas = (types.ModuleType(name) for name in ("nvmath", "nvmath.bindings",
                                                                     "nvmath.bindings.cublas"))
    nvmath.bindings, nvmath.CudaDataType, bindings.cublas = bindings, CudaDataType, cublas
    cublas.ComputeType, cublas.Operation, bindings.cublasLt = ComputeType, Operation, sys.modules[__name__]
    return {module.__name__: module for module in (nvmath, bindings, cublas)} | {
        "nvmath.bindings.cublasLt": bindings.cublasLt}
