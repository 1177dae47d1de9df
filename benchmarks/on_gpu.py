"""python -m benchmarks --device cuda: training steps and predictions on a GPU, minivit (through CuPy) and PyTorch.

Same weights, same batch, same GELU, same optimiser (AdamW, fused), the pictures on the GPU already. Three precisions:
float32 (PyTorch's "highest"), TF32 ("high"), and bfloat16 (PyTorch's autocast; minivit rounds what it multiplies).
Each is run operation by operation ("eager") and as a CUDA graph ("graph"). One side after the other in one process:
all of them at once would not fit into the GPU's memory. Clocks are read when the GPU has finished; medians. Memory is
what the process takes more while a side is there, with what its library keeps for later.

Not run on a GPU yet: the tests run minivit's sides on the stand-in for CuPy, and PyTorch's on a CPU.
"""

import contextlib
import gc
import importlib.metadata
import importlib.util
import itertools
import math
import statistics
import sys
import time
import warnings
from dataclasses import replace

from minivit import Tensor, no_grad
from minivit.backend import module_for, to_device
from minivit.precision import PRECISIONS, product_precision
from minivit.ops import cross_entropy
from minivit.train.graph import WARM_UP, Captured
from minivit.train.graph import clipped_gradients
from minivit.train.optim import AdamW, parameter_groups
from minivit.fast_forms import compiled

from .cases import CASES, torch_model, torch_optimiser

DEVICE = "cuda"
STEPS = 10  # between two looks at the clock
TOLERANCE = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 3e-2}  # of the first loss, against minivit's in float32
LIBRARIES = ("numpy", "cupy-cuda12x", "cupy-cuda13x", "nvmath-python", "torch")


def describe():
    """What the figures depend on."""
    runtime = module_for(DEVICE).cuda.runtime
    properties = runtime.getDeviceProperties(0)
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {"GPU": properties["name"].decode(), "memory (GiB)": round(properties["totalGlobalMem"] / 2**30),
            "CUDA of the driver": runtime.driverGetVersion(), "CUDA of CuPy": runtime.runtimeGetVersion(),
            "versions": versions}


def measure(titles, batches, forms, steps):
    """Rows of figures for every case with `titles` in its title; prints them, or why there is none."""
    libraries = {"minivit": minivit_runs} | ({"torch": torch_runs} if importlib.util.find_spec("torch") else {})
    rows = []
    for case, batch in itertools.product((case for case in CASES if titles in case.title), batches):
        case, expected = replace(case, batch=batch), None
        gflop = batch * case.gflop_per_picture()
        for precision, form, library in itertools.product(PRECISIONS, forms, libraries):
            try:
                loss, figures = measure_side(libraries[library], (case, precision, form), steps)
            except (NotImplementedError, UserWarning) as reason:
                print(f"{case.title:20} {batch:5} {precision} {library} {form}: {reason}")
                continue
            expected = expected or loss
            if not abs(loss - expected) <= TOLERANCE[precision] * expected:
                raise SystemExit(f"{case.title}: the first loss of {library} {form} in {precision} is {loss}, that of "
                                 f"minivit in float32 {expected}")
            for (what, cost), (milliseconds, megabytes) in zip((("train", 3), ("predict", 1)), figures, strict=True):
                rows.append({"case": case.title, "batch": batch, "what": what, "side": f"{library} {form}",
                             "precision": precision, "ms": milliseconds, "pictures/s": 1e3 * batch / milliseconds,
                             "gflops": 1e3 * cost * gflop / milliseconds, "MB": megabytes})
                print("{case:20} {batch:5} {what:8} {precision:9} {side:14} {ms:9.2f} ms {pictures/s:9.0f} pictures/s "
                      "{gflops:8.0f} GFLOP/s {MB:7.0f} MB".format(**rows[-1]), flush=True)
    return rows


def measure_side(runs, side, steps):
    """The first loss, and (milliseconds, megabytes) of a training step and of a prediction."""
    gc.collect()
    module_for(DEVICE).get_default_memory_pool().free_all_blocks()
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.empty_cache()
    before, figures = used(), []
    *functions, finish = runs(*side)
    loss = float(functions[0]())
    for run in functions:
        times = []
        for repeat in range(steps + 1):
            start = time.perf_counter()
            for _ in range(STEPS):
                run()
            finish()
            times += [(time.perf_counter() - start) / STEPS] * (repeat > 0)
        figures.append((1e3 * statistics.median(times), (used() - before) / 1e6))
    return loss, figures


def used():
    """Bytes of the GPU's memory that are not free."""
    free, total = module_for(DEVICE).cuda.runtime.memGetInfo()
    return total - free


def minivit_runs(case, precision, form):
    """(train, predict, finish): functions without arguments; train returns the loss."""
    cupy = module_for(DEVICE)
    if precision != "float32" and not hasattr(compiled(DEVICE), "multiply"):
        raise NotImplementedError("needs nvmath-python (requirements-gpu.txt)")
    warnings.filterwarnings("error", "training runs operation by operation")
    model = case.create().to(DEVICE)
    images, labels = to_device(case.images(), DEVICE), to_device(case.labels(), DEVICE)
    optimiser = AdamW(parameter_groups(model, weight_decay=0.05), lr=1e-3)
    tensors = model.parameters() + [buffer for _, buffer in model.named_buffers()]

    def objective(images, labels):
        return cross_entropy(model(Tensor.without_copy(images)), labels), {}

    def differentiate(images, labels):
        return clipped_gradients(objective, optimiser.parameters, images, labels, max_norm=math.inf)[0]

    def logits(images):
        with no_grad():
            return model(Tensor.without_copy(images)).data
    if form == "graph":
        differentiate, logits = Captured(differentiate, tensors), Captured(logits, tensors)

    def train():
        model.train()
        with product_precision(precision):
            numbers = differentiate(images, labels)
        optimiser.step()
        optimiser.zero_grad()
        return numbers[0]

    def predict():
        model.eval()
        with product_precision(precision):
            return logits(images)
    return train, predict, cupy.cuda.get_current_stream().synchronize


def torch_runs(case, precision, form):
    """The same in PyTorch."""
    import torch
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    model = torch_model(case).to(DEVICE)
    images = torch.from_numpy(case.images().transpose(0, 3, 1, 2).copy()).to(DEVICE)  # (B, 3, 32, 32)
    labels = torch.from_numpy(case.labels()).to(DEVICE)
    optimiser = torch_optimiser(model, capturable=form == "graph")

    def logits():
        with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bfloat16"):
            return model(images).float()

    def train():
        model.train()
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(), labels)
        loss.backward()
        optimiser.step()
        return loss.detach()

    def predict():
        model.eval()
        with torch.inference_mode():
            return logits()
    if form == "graph":
        return TorchGraph(train), TorchGraph(predict), torch.cuda.synchronize
    return train, predict, torch.cuda.synchronize


class TorchGraph:
    """A function without arguments as a CUDA graph of PyTorch's: run on a stream of its own first, then captured."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self):
        import torch
        self.calls += 1
        if self.calls <= WARM_UP:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                result = self.function()
            torch.cuda.current_stream().wait_stream(stream)
            return result
        if self.calls == WARM_UP + 1:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.result = self.function()
        self.graph.replay()
        return self.result
