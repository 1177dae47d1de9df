"""python -m benchmarks.scaling: how much quicker a step gets with threads and with processes, and why not more.

The same batch of the ViT `cifar` for all (strong scaling), on threads in one process and on processes with one thread
each. What processes exchange is timed by itself. Then a model of the cost, fitted to nothing but these figures, says
what 8, 64 and 1,024 processes would do with as many pictures each (weak scaling) on networks that are named.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from minivit import create
from minivit.device import cores
from minivit.processes import processes
from minivit.tasks.classify import Classify
from minivit.train import Recipe, Threads
from minivit.train.trainer import Trainer

NETWORKS = {  # bytes a second and seconds a message, in one direction for each process
    "10 Gbit Ethernet": (1.25e9, 50e-6),
    "100 Gbit Ethernet": (12.5e9, 10e-6),
    "NVLink of an H100": (450e9, 5e-6),
}


def exchange(count, numbers, bandwidth, latency, itemsize=4):
    """Seconds that the sum of all gradients takes: each process sends its parts to the others, then its sum.

    2 (P - 1) messages, and 2 (P - 1) / P of the gradient's bytes.
    """
    return 2 * (count - 1) * latency + 2 * (count - 1) / count * numbers * itemsize / bandwidth


class Random:
    """A batch of noise again and again, in the place of `Batches`."""

    def __init__(self, size):
        rng = np.random.default_rng(0)
        self.arrays = rng.standard_normal((size, 32, 32, 3)).astype(np.float32), rng.integers(10, size=size)

    def __getitem__(self, step):
        return self.arrays


def measure(batch, steps, threads, shard):
    """{what: seconds or bytes} of this process, together with the others that there are."""
    group, task = processes(), Classify(create("vit", "cifar"))
    recipe = Recipe(steps=1000, batch_size=batch, optimiser="adamw", lr=1e-3, device="cpu", threads=threads,
                    shard=shard)
    with Threads(threads, group) as team:
        trainer = Trainer(task, recipe, Random(batch), team)
        trainer.step()
        seconds = [timed(trainer.step, group) for _ in range(steps)]
        gradient = np.zeros(sum(parameter.size for parameter in task.parameters()), np.float32)
        sums = [timed(lambda: group.all_sum(gradient), group) for _ in range(20)]
        small = [timed(lambda: group.all_sum(gradient[:group.size]), group) for _ in range(50)]
    optimiser = getattr(trainer.optimiser, "optimiser", trainer.optimiser)
    kept = sum(array.nbytes for arrays in optimiser.state for array in arrays)
    kept += sum(array.nbytes for array in trainer.average.averages.values())
    return {"step": statistics.median(seconds), "sum": statistics.median(sums), "small": statistics.median(small),
            "state": kept, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "parameters": gradient.size}


def timed(function, group):
    """The seconds of a call that all processes begin at once."""
    group.any_of(True)
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def together(count, args, shard):
    """`measure` in processes that mpiexec starts; what the first one found."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    command = [str(mpiexec if mpiexec.exists() else "mpiexec"), "-n", str(count), sys.executable, "-m",
               "benchmarks.scaling", "--member", "--batch", str(args.batch), "--steps", str(args.steps)]
    run = subprocess.run(command + ["--shard"] * bool(shard), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def main():
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--batch", type=int, default=128, help="pictures of a step, of all together (default 128)")
    parser.add_argument("--steps", type=int, default=15, help="steps; the median counts (default 15)")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="how many (default 1 and 2)")
    parser.add_argument("--shard", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--member", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.member:
        print(json.dumps(measure(args.batch, args.steps, 1, "optimiser" if args.shard else None)))
        return
    print(f"{cores()} cores, Python {platform.python_version()}, NumPy {np.__version__}; ViT cifar, {args.batch} "
          f"pictures a step, float32, medians of {args.steps}\n")
    print("| processes | threads each | ms a step | speed-up | sum of gradients, ms | small sum, ms | state, MB | "
          "peak, MB |\n|---|---|---|---|---|---|---|---|")
    found = {}
    for threads in range(1, cores() + 1):
        found[1, threads, None] = measure(args.batch, args.steps, threads, None)
        print_row(1, threads, None, found)
    for count in args.processes:
        for shard in (None, "optimiser") if count > 1 else ():
            found[count, 1, shard] = together(count, args, shard)
            print_row(count, 1, shard, found)
    predict(found[1, 1, None], args.batch)


def print_row(count, threads, shard, found):
    """A line of the table."""
    now, one = found[count, threads, shard], found[1, 1, None]
    sums = (f"{1e3 * now['sum']:.1f}", f"{1e3 * now['small']:.2f}") if count > 1 else ("", "")
    print(f"| {count}{', shared state' * bool(shard)} | {threads} | {1e3 * now['step']:.0f} | "
          f"{one['step'] / now['step']:.2f} | {sums[0]} | {sums[1]} | {now['state'] / 1e6:.1f} | "
          f"{now['peak'] / 1e6:.0f} |", flush=True)


def predict(one, batch):
    """Weak scaling: every process has the batch that one process had."""
    numbers, compute = one["parameters"], one["step"]
    print(f"\n{numbers:,} gradients, {1e3 * compute:.0f} ms of computing for {batch} pictures in each process: "
          "efficiency = computing / (computing + exchange)\n")
    print("| network | " + " | ".join(f"{count:,} processes" for count in (8, 64, 1024)) + " |\n|---|---|---|---|")
    for name, (bandwidth, latency) in NETWORKS.items():
        cells = []
        for count in (8, 64, 1024):
            waiting = exchange(count, numbers, bandwidth, latency)
            cells.append(f"{compute / (compute + waiting):.1%}, {1e3 * waiting:.1f} ms")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
