"""python -m benchmarks: training steps and predictions of minivit and other libraries, in turn in one process.

Same weights, same batch, same GELU, same optimiser, same number of threads. Medians; the losses of the first steps
are compared, so that it is known that all computed the same. Memory is measured in processes of its own.
`--vs definitions` is minivit again, without the loops that Numba compiles (MINIVIT_KERNELS=0).

`--device cuda` measures on a GPU instead: see on_gpu.py.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from unittest import mock

from minivit.device import blas, cores, product_rate
from minivit.train.threads import Threads
from minivit.fast_forms import compiled

from .cases import CASES, minivit_runs, torch_runs
from .functions import runs as function_runs

FUNCTIONS = ("jax", "autograd", "mygrad")  # they run the ViTs only, and on all cores


def main():
    """Measure, print the table, write JSON and a bar chart where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where (default cpu)")
    parser.add_argument("--batch", default="256,1024", metavar="B,B", help="batch sizes on a GPU (default 256,1024)")
    parser.add_argument("--vs",
                        help="by commas: eager, compile, channels-last (PyTorch's forms), jax, autograd, mygrad, "
                             "definitions (minivit without compiled loops); default eager. On a GPU eager, graph, of "
                             "both libraries; default both")
    parser.add_argument("--only", default="", help="measure only the cases whose title contains this text")
    parser.add_argument("--steps", type=int, default=7, help="how often each is run; the median counts (default 7)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads for both (default: all cores)")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--chart", help="draw a bar chart into this PNG file")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == "cuda":
        return measure_on_gpu(args)
    forms = [form for form in (args.vs or "eager").split(",") if importlib.util.find_spec(library(form))]
    if args.peak:
        return print_peak(args.peak[0], args.peak[1], args.threads)
    machine = describe(args.threads, forms)
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    rows = []
    for case in CASES:
        if args.only in case.title:
            rows += measure(case, forms, machine["large products (GFLOP/s)"], args)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": machine, "rows": rows}, file, indent=1)
    if args.chart:
        from minivit.viz import png, speed_bars
        chart = speed_bars([row for row in rows if row["what"] == "train"], f"training steps on {processor()}")
        with open(args.chart, "wb") as file:
            file.write(png(chart))
    return None


def measure_on_gpu(args):
    """The same on a GPU: print the figures, write JSON where asked to."""
    from . import on_gpu
    try:
        machine = on_gpu.describe()
    except RuntimeError as error:
        raise SystemExit(f"{error}") from error
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    batches, forms = [int(batch) for batch in args.batch.split(",")], (args.vs or "eager,graph").split(",")
    rows = on_gpu.measure(args.only, batches, forms, args.steps)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": machine, "rows": rows}, file, indent=1)


def library(form):
    """The library behind a form: "eager" -> "torch"."""
    return "numpy" if form == "definitions" else form if form in FUNCTIONS else "torch"


def describe(threads, forms):
    """What the figures depend on."""
    ours, loops = blas(), ["numba"] if compiled() else []
    versions = {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in
                                                        dict.fromkeys(["numpy", *loops, *map(library, forms)])}
    return {"processor": processor(), "threads": threads, "versions": versions,
            "BLAS": f"{ours['name']} {ours['version']}, kernel {ours['kernel']}",
            "large products (GFLOP/s)": round(product_rate())}


def processor():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def measure(case, forms, rate, args):
    """A row of figures for each of training and prediction; prints them."""
    with Threads(args.threads) as threads:
        sides = {"minivit": minivit_runs(case, threads)}
        for form in forms:
            if form == "definitions":
                sides[form] = [with_definitions(run) for run in minivit_runs(case, threads)]
            elif library(form) == "torch":
                sides[f"torch {form}"] = torch_runs(case, args.threads, form)
            elif case.architecture == "vit":
                sides[form] = function_runs(case, form)
        losses = {side: runs[0]() for side, runs in sides.items()}
        spread = max(losses.values()) - min(losses.values())
        if spread > 1e-4 * abs(losses["minivit"]):
            raise SystemExit(f"{case.title}: the losses of the first step differ: {losses}")
        rows = []
        for index, (what, cost) in enumerate([("train", 3), ("predict", 1)]):
            seconds = {side: [] for side in sides}
            for step in range(args.steps + 1):
                for side, runs in sides.items():
                    start = time.perf_counter()
                    runs[index]()
                    if step:
                        seconds[side].append(time.perf_counter() - start)
            gflop = cost * case.batch * case.gflop_per_picture()
            ours = statistics.median(seconds["minivit"])
            for side, values in seconds.items():
                median = statistics.median(values)
                rows.append({"case": case.title, "what": what, "side": side, "ms": 1e3 * median,
                             "gflops": gflop / median, "speed of minivit": median / ours,
                             "of products": gflop / median / rate,
                             "peak MB": peak(case, side, args.threads) if what == "train" else None})
                row = rows[-1]
                print(f"{case.title:22} {what:8} {side:20} {row['ms']:8.0f} ms {row['gflops']:6.0f} GFLOP/s "
                      f"({row['of products']:3.0%} of large products)   minivit is {row['speed of minivit']:.2f} x"
                      + (f"   peak {row['peak MB']:6.0f} MB" if row["peak MB"] else ""), flush=True)
    return rows


def with_definitions(run):
    """`run` without compiled loops."""
    def run_with_definitions():
        with mock.patch.dict(os.environ, MINIVIT_KERNELS="0"):
            return run()
    return run_with_definitions


def peak(case, side, threads):
    """Megabytes that training steps add at their peak to what is resident before them; in a process of its own.

    None where the system does not tell.
    """
    if not os.path.exists("/proc/self/status"):
        return None
    command = [sys.executable, "-m", "benchmarks", "--threads", str(threads), "--peak", case.title, side]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_peak(title, side, threads):
    """Run three training steps and print the growth of the peak of resident memory (Linux)."""
    case = next(case for case in CASES if case.title == title)
    form = side.rpartition(" ")[2]
    with Threads(threads) as pool:
        if side in ("minivit", "definitions"):
            train, _ = minivit_runs(case, pool)
            train = with_definitions(train) if side == "definitions" else train
        else:
            train, _ = torch_runs(case, threads, form) if library(form) == "torch" else function_runs(case, form)
        compiled()  # Numba itself takes memory once, not in each step
        before = resident("VmRSS")
        for _ in range(3):
            train()
    print(resident("VmHWM") - before)


def resident(field):
    """Megabytes of memory that this process has now (VmRSS) or had at most (VmHWM)."""
    # getrusage would not do: its peak begins with that of the process that started this one.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
