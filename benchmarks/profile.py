"""python -m benchmarks.profile: where the time of one training step goes, operation by operation.

Every operation and every pullback is timed in its thread; the products of a Transformer are then run once more by
themselves, which gives the limit that no library with this BLAS can pass. The last lines are a step of the same kind on
next to nothing: its time is what Python and the calls of NumPy cost.
"""

import argparse
import statistics
import time
from collections import defaultdict

import numpy as np

from minivit.device import cores
from minivit.engine import intercept_operations
from minivit.ops.products import multiply

from .cases import CASES, Case, Threads, minivit_runs

SMALL = Case("dim 64 depth 4", "vit", dict(dim=64, depth=4, heads=2), batch=16)


def main():
    """Print the profile of the chosen case, then the overhead of a small model."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--only", default="ViT cifar", help="a text in the title of the case (default: ViT cifar)")
    parser.add_argument("--steps", type=int, default=5, help="steps to average over (default 5)")
    parser.add_argument("--threads", type=int, default=cores(), help="default: all cores")
    args = parser.parse_args()
    case = next(case for case in CASES if args.only in case.title)
    with Threads(args.threads) as threads:
        train, _ = minivit_runs(case, threads)
        train()
        plain = statistics.median(timed(train)[0] for _ in range(args.steps))
        profile = Profile()
        with intercept_operations(profile):
            for _ in range(args.steps):
                train()
        alone = sum(threads.map(lambda _: profile.products_alone(), range(args.threads))) / args.threads
        print(f"{case.title}, {args.threads} threads: {1e3 * plain:.0f} ms for a step; milliseconds in each thread:")
        print(f"  {'operation':16} {'calls':>6} {'forward':>8} {'backward':>8} {'of the step':>12}")
        shares, rest = args.steps * args.threads, plain
        for name in sorted(profile.forward, key=lambda name: -sum(profile.forward[name] + profile.backward[name])):
            forward, backward = sum(profile.forward[name]) / shares, sum(profile.backward[name]) / shares
            rest -= forward + backward
            if forward + backward > 1e-3:
                print(f"  {name:16} {len(profile.forward[name]) / shares:6.0f} {1e3 * forward:8.1f} "
                      f"{1e3 * backward:8.1f} {(forward + backward) / plain:12.1%}")
        print(f"  the rest (engine, optimiser, sums of gradients, waiting) {1e3 * rest:.1f}, {rest / plain:.1%}")
        if alone > 0.01 * plain:
            print(f"the products of the step alone: {1e3 * alone:.0f} ms, {alone / plain:.0%}")
    print_overhead(args.threads)


def timed(function, *args):
    """(seconds, result)"""
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


class Profile:
    """An interpreter of operations that times them and remembers the shapes of the linear layers and of attention."""

    def __init__(self):
        self.forward, self.backward, self.shapes = defaultdict(list), defaultdict(list), defaultdict(list)

    def __call__(self, function, arrays, settings):
        """Run an operation; time it, its pullback, and the gradients that are computed only if they are needed."""
        name = function.__name__
        seconds, (value, backward) = timed(lambda: function(*arrays, **settings))
        self.forward[name].append(seconds)
        self.note(name, arrays, settings)

        def add_time(function, *args):
            seconds, result = timed(function, *args)
            self.backward[name].append(seconds)
            return result

        def timed_backward(dy):
            gradients = add_time(backward, dy)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            return tuple((lambda g=g: add_time(g)) if callable(g) else g for g in gradients)
        return value, timed_backward

    def note(self, name, arrays, settings):
        """Count the products (matrices, n, k, m) of an operation: a step computes each three times."""
        found = []
        if name == "linear":
            rows, weights = arrays[0], arrays[1]
            found = [(1, rows.size // rows.shape[-1], *weights.shape)]
        if name == "self_attention":
            (B, N, width), heads = arrays[0].shape, settings["heads"]
            d = width // 3 // heads
            found = [(B * heads, N, d, N), (B * heads, N, N, d)]
        for shape in found:
            self.shapes[shape].append(name)

    def products_alone(self):
        """Seconds for the products of one step in this thread, one after the other in the layouts that they have."""
        total, shares = 0, len(self.forward["cross_entropy"])  # one in each step and thread
        for (matrices, n, k, m), found in self.shapes.items():
            x, y, z = (np.ones((matrices, *shape), np.float32) for shape in ((n, k), (k, m), (n, m)))
            for left, right in ((x, y), (z, y.swapaxes(1, 2)), (x.swapaxes(1, 2), z)):
                if matrices == 1:
                    seconds = [timed(multiply, left[0], right[0])[0] for _ in range(3)]
                else:
                    seconds = [timed(np.matmul, left, right)[0] for _ in range(3)]
                total += statistics.median(seconds) * len(found) / shares
        return total


def print_overhead(threads):
    """The step of a small model, and of one with as many operations on next to nothing."""
    nothing = Case("nothing", "vit", SMALL.settings | dict(dim=4, image_size=4), batch=threads)
    medians = []
    for case in (SMALL, nothing):
        with Threads(threads) as pool:
            train, _ = minivit_runs(case, pool)
            medians.append(statistics.median(timed(train)[0] for _ in range(30)))
    print(f"{SMALL.title}, batch {SMALL.batch}: {1e3 * medians[0]:.1f} ms; the same operations on next to nothing "
          f"{1e3 * medians[1]:.1f} ms, {medians[1] / medians[0]:.0%}: Python and the calls of NumPy")


if __name__ == "__main__":
    main()
