"""python -m benchmarks.attention: time and memory of attention, forward and backward, from 64 to 4,096 tokens.

One picture, 3 heads of 64, float32; minivit's self_attention and PyTorch's scaled_dot_product_attention, both on two
threads: minivit takes two pictures then, one in each, PyTorch the same two at once. Memory is what a process of its own
grows by. The bound for minivit: BOUND bytes for each byte of the two pictures' queries, keys and values, and SCORES for
the scores in work; the command fails where more is used.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from minivit import Tensor, grad, ops
from minivit.train.threads import Threads

from .__main__ import resident

HEADS, WIDTH = 3, 64
TOKENS = [64, 128, 256, 512, 1024, 2048, 4096]
BOUND, SCORES = 4, 16e6


def main():
    """Measure, print a table, and write a chart where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--chart", help="draw the curves into this PNG file")
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "TOKENS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return print(json.dumps(measure(args.one[0], int(args.one[1]))))
    sides = ["minivit", "torch"] if importlib.util.find_spec("torch") else ["minivit"]
    rows = []
    for tokens in TOKENS:
        for side in sides:
            command = [sys.executable, "-m", "benchmarks.attention", "--one", side, str(tokens)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"side": side, "tokens": tokens} | json.loads(done.stdout.splitlines()[-1]))
            print("{side:8} {tokens:5} tokens {ms:8.2f} ms {megabytes:7.1f} MB".format(**rows[-1]), flush=True)
        bound = (BOUND * 2 * tokens * 3 * HEADS * WIDTH * 4 + SCORES) / 1e6
        if rows[-len(sides)]["megabytes"] > bound:
            raise SystemExit(f"{tokens} tokens: more than the bound of {bound:.0f} MB")
    if args.chart:
        draw(rows, sides, args.chart)
    return None


def measure(side, tokens):
    """Milliseconds of a forward and backward pass (median of at least 5), and megabytes that it adds at its peak."""
    qkv = np.random.default_rng(0).standard_normal((2, tokens, 3 * HEADS * WIDTH), np.float32)
    with Threads(2) as threads:
        run = minivit_pass(qkv, threads) if side == "minivit" else torch_pass(qkv)
        before, times = resident("VmRSS"), []
        begun = time.perf_counter()
        while len(times) < 6 or time.perf_counter() - begun < 1:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return {"ms": 1e3 * statistics.median(times[1:]), "megabytes": resident("VmHWM") - before}


def minivit_pass(qkv, threads):
    """A function that runs attention on one picture in each thread, and back."""
    def one(picture):
        tensor = Tensor(qkv[picture:picture + 1], requires_grad=True)
        return grad(ops.self_attention(tensor, heads=HEADS).sum(), [tensor])
    return lambda: threads.map(one, range(2))


def torch_pass(qkv):
    """The same in PyTorch."""
    import torch
    torch.set_num_threads(2)
    qkv = torch.from_numpy(qkv).requires_grad_()

    def run():
        q, k, v = qkv.reshape(2, -1, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)  # 3 (B, H, N, d)
        qkv.grad = None
        torch.nn.functional.scaled_dot_product_attention(q, k, v).sum().backward()
    return run


def draw(rows, sides, path):
    """Two curves over the number of tokens: milliseconds, megabytes."""
    from minivit.viz import png
    from minivit.viz.figure import new_figure
    figure = new_figure(9, 4)
    for axes, key, label in zip(figure.subplots(1, 2), ("ms", "megabytes"), ("milliseconds", "megabytes"), strict=True):
        for side in sides:
            axes.plot(TOKENS, [row[key] for row in rows if row["side"] == side], "o-", label=side)
        axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel=label, xticks=TOKENS, xticklabels=TOKENS)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle("self-attention of 2 pictures, 3 heads of 64, forward and backward, two CPU threads")
    with open(path, "wb") as file:
        file.write(png(figure))


if __name__ == "__main__":
    main()
