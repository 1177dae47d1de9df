"""A training step on a GPU, in which the host waits for nothing, captured once as a CUDA graph and then replayed.

A training step of a small model is a thousand short operations, and the GPU waits for Python to start each of them. A
CUDA graph starts them all at once. It knows only memory: it repeats the same operations on the same addresses. So

- what differs from step to step is copied into arrays of its own before each replay: pictures, labels;
- what is computed on the way lies in a pool of memory that nobody else takes from, since the addresses stay in use;
- random numbers come from one generator whose state lies in the GPU's memory. Before each replay that state becomes
  the one which (seed, step) begins with: a replay draws what the operations one by one would draw, and a resumed run
  draws what an uninterrupted one does;
- numbers of Python's are frozen. What depends on some that change stays out of the graph: the optimisers, with their
  learning rates and step counts (AdamW's step of all parameters is one launch), or takes them as arrays.

CuPy refuses to capture whatever the host waits for, copies from the host, and cuBLAS (cupy/cuda/memory.pyx, stream.pyx
and cublas.pyx of CuPy 14); products can be captured through cuBLASLt. Then, or if the first replay gives other numbers
than the operations did, everything runs operation by operation, as with MINIVIT_KERNELS=0, after one warning.

A look at a number, too, would hold up Python, which runs ahead of the GPU if nothing does. So the gradient is clipped
without one, and the numbers for the metrics are copied to the host while the next step is at work.

CUDA C++ Programming Guide, "CUDA Graphs".
"""

import contextlib
import gc
import warnings

import numpy as np

from ..backend import array_module, module_for, random_generator
from ..engine import grad
from ..fast_forms import switched_off
from ..nn import randomness

WARM_UP = 3  # calls before the capture: kernels are compiled, and libraries choose their algorithms
TOLERANCE = 1e-3  # of the largest number, between the first replay and the operations one by one


class Captured:
    """A function of arrays on the GPU as a graph.

    Parameters
    ----------
    function : callable
        function(*arrays) -> array or None. It may change the arrays of `tensors` in place and leave a gradient in their
        `.grad`; whatever else it changes, it must not depend on in the next call. It draws from `nn.randomness` alone.
    tensors : list of Tensor
        All that it reads or changes besides. If the array of one is replaced by another, there is a new capture.
    """

    def __init__(self, function, tensors):
        self.function, self.tensors = function, list(tensors)
        self.calls, self.gave_up, self.layout, self.graph = 0, switched_off(), None, None

    def __call__(self, *arrays, seed=None):
        """What the function returns for these arrays, with the random numbers of this seed; without one it draws none.

        After a replay the result, and the gradients, are in memory that the next one will write to.
        """
        layout = [(array.shape, array.dtype) for array in arrays]
        self.calls += 1
        if self.gave_up or self.calls <= WARM_UP or layout != (self.layout or layout):
            return self.run(arrays, seed)
        if self.graph is None or any(t._array is not a for t, a in zip(self.tensors, self.memory, strict=True)):
            return self.begin(arrays, seed)
        return self.replay(arrays, seed)

    def run(self, arrays, seed):
        """Operation by operation."""
        with randomness(None if seed is None else random_generator(seed, "cuda")):
            return self.function(*arrays)

    def begin(self, arrays, seed):
        """Run operation by operation, capture, and let the first replay show that it does the same."""
        before = self.copies()
        result = self.run(arrays, seed)
        gradients, after = [tensor.grad for tensor in self.tensors], self.copies()
        try:
            self.capture(arrays)
            self.assign(before)
            replayed = self.replay(arrays, seed)
            if not (agree([replayed], [result]) and agree([tensor.grad for tensor in self.tensors], gradients)
                    and agree([tensor._array for tensor in self.tensors], after)):
                raise RuntimeError("its replay gives other numbers")
        except Exception as error:  # whatever the libraries refuse, training goes on
            self.assign(after)
            for tensor, gradient in zip(self.tensors, gradients, strict=True):
                tensor.grad = gradient
            self.gave_up, self.graph, self.pool = True, None, None
            warnings.warn(f"training runs operation by operation, which is slower for small models, because a step "
                          f"cannot be captured as a CUDA graph: {error}{remedy(error)}", stacklevel=2)
            return result
        return replayed

    def capture(self, arrays):
        """Note the operations of one call; nothing is computed."""
        cupy = module_for("cuda")
        self.graph, self.layout = None, [(array.shape, array.dtype) for array in arrays]
        self.memory = [tensor._array for tensor in self.tensors]
        self.arrays, self.generator = [array.copy() for array in arrays], random_generator(0, "cuda")
        gc.collect()
        cupy.get_default_memory_pool().free_all_blocks()  # what steps needed so far, they need in the new pool
        self.pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
        with stream, cupy.cuda.using_allocator(self.pool.malloc), randomness(self.generator):
            stream.begin_capture()
            try:
                self.result = self.function(*self.arrays)
            except Exception:
                with contextlib.suppress(Exception):  # the capture may be invalid: the first error says why
                    stream.end_capture()
                raise
            self.graph = stream.end_capture()
        self.gradients = [tensor.grad for tensor in self.tensors]

    def replay(self, arrays, seed):
        """Launch the graph on the current stream."""
        for own, array in zip(self.arrays, arrays, strict=True):
            own[...] = array
        if seed is not None:
            self.generator.bit_generator._state[...] = random_generator(seed, "cuda").bit_generator._state
        self.graph.launch()
        for tensor, gradient in zip(self.tensors, self.gradients, strict=True):
            tensor.grad = gradient
        return self.result

    def copies(self):
        """The arrays of all tensors as they are now."""
        return [tensor._array.copy() for tensor in self.tensors]

    def assign(self, arrays):
        """Give the tensors these values, in the memory that they have."""
        for tensor, array in zip(self.tensors, arrays, strict=True):
            tensor._array[...] = array


def agree(ours, theirs):
    """Whether two lists of arrays, or None, are the same up to the order of sums.

    Measured by the largest number of all: some gradients are 0 but for roundings, like that of the keys' bias.
    """
    pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if other is not None and other.size]
    largest = max((float(abs(other).max()) for _, other in pairs), default=0.0)
    return all(one is not None and float(abs(one - other).max()) <= TOLERANCE * largest for one, other in pairs)


def remedy(error):
    """What helps against an error, where that is known."""
    if "cuBLAS" in str(error):
        return ". With nvmath-python it can: python -m pip install -r requirements-gpu.txt"
    return ""


def clipped_gradients(objective, parameters, *batch, max_norm, clip_units=None):
    """The gradient of the mean loss over a batch, in `.grad` of every parameter, its norm at most `max_norm`.

    objective(*batch) -> (mean loss, {name: another mean}). The gradients are views of one array. If there is a
    clip_units(), it is called before their norm is taken. Returns float64 (n,): the loss, that norm, the other means;
    and the names of those. (`clip_gradients` tells the source.)
    """
    loss, others = objective(*batch)
    gradients = grad(loss, parameters)
    xp, start = array_module(loss.data), 0
    together = xp.empty(sum(gradient.size for gradient in gradients), dtype=loss.dtype)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = together[start:start + gradient.size].reshape(gradient.shape)
        parameter.grad[...] = gradient
        start += gradient.size
    if clip_units:
        clip_units()
    norm = xp.sqrt((together * together).sum(dtype=np.float64))
    if np.isfinite(max_norm):
        together *= xp.minimum(max_norm / (norm + 1e-6), 1).astype(together.dtype)
    numbers = xp.empty(2 + len(others), dtype=np.float64)
    for place, number in enumerate((loss.data, norm, *others.values())):
        numbers[place] = number
    return numbers, tuple(others)


def read_later(x):
    """A function that returns the array in host memory; called, it waits for what was begun before now alone."""
    xp = array_module(x)
    if xp is np:
        return lambda: x
    memory = xp.cuda.alloc_pinned_memory(x.nbytes)  # which the GPU can write to by itself
    host = np.frombuffer(memory, x.dtype, x.size).reshape(x.shape)
    x.get(out=host, blocking=False)
    arrived = xp.cuda.get_current_stream().record()

    def read():
        arrived.synchronize()
        return host
    return read
