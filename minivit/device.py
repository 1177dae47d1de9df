"""What this machine gives: processor, BLAS kernel, product rate, GPU; which settings hold it back, and what is missing.

OpenBLAS picks its kernel by processor when it is loaded, unless OPENBLAS_CORETYPE names another. To learn what the
processor could do without that variable, a second Python process without it is asked.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

from .fast_forms import compiled, switched_off

KERNEL_VARIABLES = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

NEEDS = {  # beyond running: what it is for: (packages, what brings them)
    "lessons": (("jupyterlab", "ipykernel", "nbclient"), "-r requirements-lessons.txt"),
    "tests": (("pytest", "hypothesis"), "-r requirements-dev.txt"),
    "parity": (("torch", "timm", "transformers"), "-r requirements-parity.txt"),
    "mpi": (("mpi4py",), "-r requirements-mpi.txt"),
    "hub": (("huggingface_hub",), "huggingface_hub"),
}


def cores():
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blas():
    """Name, version, kernel and threads of the BLAS library that NumPy uses; "unknown" where it does not tell."""
    from threadpoolctl import threadpool_info
    np.ones((2, 2)) @ np.ones((2, 2))  # some libraries are loaded by the first product
    found = next((info for info in threadpool_info() if info["user_api"] == "blas"), {})
    return {"name": found.get("internal_api", "unknown"), "version": found.get("version") or "unknown",
            "kernel": found.get("architecture", "unknown"), "threads": found.get("num_threads", 1)}


def product_rate(size=1536, repeats=5):
    """The best rate of a float32 product of two size x size matrices, in GFLOP/s (multiply and add counted apart)."""
    a = np.random.default_rng(0).standard_normal((size, size), np.float32)
    out, best = np.empty_like(a), float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - start)
    return 2 * size ** 3 / best / 1e9


def loops():
    """What the loops over numbers are run by, on the CPU: "numpy", or what compiles the fast forms, "numba 0.68.1"."""
    if switched_off() or compiled() is None:
        return "numpy"
    return f"numba {sys.modules['numba'].__version__}"


def without_settings():
    """(kernel, product rate) in a fresh process without the variables that choose kernels and threads, or None."""
    held = KERNEL_VARIABLES + THREAD_VARIABLES
    program = ("import json; from minivit.device import blas, product_rate; "
               "print(json.dumps([blas()['kernel'], product_rate()]))")
    environment = {name: value for name, value in os.environ.items() if name not in held}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True,
                              timeout=60, check=True)
        return tuple(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def report():
    """The lines that `python -m minivit device` prints."""
    library, rate = blas(), product_rate()
    yield f"processor   {platform.processor() or platform.machine()}, {cores()} cores for this process"
    yield f"python      {platform.python_version()}, NumPy {np.__version__}"
    yield (f"BLAS        {library['name']} {library['version']}, kernel {library['kernel']}, "
           f"{library['threads']} threads, {rate:.0f} GFLOP/s in float32 products")
    yield f"loops       {_loops()}"
    yield f"GPU         {_gpu()}"
    settings = [f"{name}={os.environ[name]}" for name in KERNEL_VARIABLES + THREAD_VARIABLES if name in os.environ]
    if settings:
        yield f"settings    {', '.join(settings)}"
        free = without_settings()
        if free is not None and (free[0] != library["kernel"] or free[1] > 1.2 * rate):
            yield (f"warning     without these settings: kernel {free[0]}, {free[1]:.0f} GFLOP/s, "
                   f"{free[1] / rate:.1f} times as fast; unset them")


def needs():
    """A line for each use that needs more than running does: the packages with their versions, or what is missing."""
    for use, (packages, remedy) in NEEDS.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            yield f"{use:<11} missing: {', '.join(missing)}; python -m pip install {remedy}"
        else:
            yield f"{use:<11} " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def _loops():
    found = loops()
    if found != "numpy":
        return f"compiled by {found}"
    return "NumPy's, " + ("as MINIVIT_KERNELS=0 asks" if switched_off() else
                          "faster ones after: python -m pip install -r requirements-fast.txt")


def _gpu():
    from .backend import module_for
    try:
        cupy = module_for("cuda")
    except RuntimeError as error:
        return f"none in use: {error}"
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, CuPy {cupy.__version__}"
