"""All architectures side by side: the same pictures, the same minutes, three seeds each.

How many steps an architecture takes is its share of the minutes divided by the time of a step, which was measured once
on a quiet machine and stands in docs/results/zoo. So a run can go on in the background, on a busy machine or another,
and ends with the same bits. Its learning rate is the best of three on pictures that are held out of the training set.

Any number of processes, on any machines that share the folder, may be at work at once: each run is held by the lock of
its folder, nobody waits, and what a killed one has left is taken up by another.
"""

import json
import platform
import statistics
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, files
from ..counting import count
from ..device import blas, cores, loops
from ..models import create
from ..ops import softmax
from ..tasks.classify import Classify
from ..train import Recipe, Run, Threads, resume, train
from ..train.measure import going_over
from ..train.trainer import Trainer
from .step_time import read_times, steps_within

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "zoo"
MINUTES, RATES, SEEDS, HELD_OUT, SEARCH = 4.0, (2e-3, 4e-3, 8e-3), (0, 1, 2), 5000, 0.25
BATCH = 64

# What trains in the time: the variant "cifar" of each, but for those whose lesson has more of it.
SMALLER: dict[str, dict[str, Any]] = {
    "vit": {"dim": 96, "depth": 5},
    "deit": {"dim": 96, "depth": 5},
    "swin": {"dim": 32},
    "resnet": {"width": 16},
    "vitc": {"dim": 96, "stem": [(48, 2), (96, 1), (96, 2), (96, 1)]},
}


@dataclass(frozen=True)
class Entry:
    """One run of one architecture: a learning rate that is tried, or without one a seed with the best of them."""

    name: str
    seed: int = 0
    rate: float | None = None

    @property
    def folder(self) -> str:
        """Below the folder of the zoo."""
        return f"{self.name}/seed-{self.seed}" if self.rate is None else f"{self.name}/lr-{self.rate:g}"


def plan(names: list[str], seeds: tuple[int, ...] = SEEDS) -> list[Entry]:
    """All runs in their order: every architecture with the first seed, then with the second."""
    runs = []
    for seed in seeds:
        for name in names:
            if seed == seeds[0]:
                runs += [Entry(name, rate=rate) for rate in RATES]
            runs.append(Entry(name, seed))
    return runs


def recipe_of(entry: Entry, times: dict, folder: Path, data_name: str) -> Recipe | None:
    """The recipe of a run; None if it waits for a learning rate."""
    steps = steps_within(MINUTES, times)
    recipe = Recipe(model=entry.name, settings=SMALLER.get(entry.name, {}), data=data_name, device="cpu",
                    threads=times["threads"], batch_size=BATCH, optimiser="muon", weight_decay=0.05, evaluations=0,
                    task_settings={"label_smoothing": 0.1}, steps=steps)
    if entry.rate is not None:
        return replace(recipe, steps=max(1, round(SEARCH * steps)), lr=entry.rate, held_out=HELD_OUT)
    rates = tried_rates(entry.name, folder)
    return replace(recipe, lr=max(rates, key=rates.__getitem__), seed=entry.seed) if len(rates) == len(RATES) else None


def tried_rates(name: str, folder: Path) -> dict[float, float]:
    """{learning rate: accuracy on the pictures that were held out}, as far as it has been tried."""
    found = {rate: Run(folder / Entry(name, rate=rate).folder).result() for rate in RATES}
    return {rate: result["test_accuracy"] for rate, result in found.items() if result}


def work(names: list[str], seeds: tuple[int, ...], folder: Path, data_name: str) -> int:
    """Do what nobody has done and nobody is doing, until there is no more; returns how many runs are left to others."""
    runs = plan(names, seeds)
    left = runs
    while True:
        before, left = left, []
        for entry in before:
            run = Run(folder / entry.folder)
            if run.exists and run.result():
                continue
            recipe = recipe_of(entry, times_of(entry.name), folder, data_name)
            if recipe is None:
                left.append(entry)
                continue
            done = sum(Run(folder / each.folder).result() is not None for each in runs)
            print(f"\n{done} of {len(runs)} runs are done; {entry.folder}, {recipe.steps:,} steps", flush=True)
            try:
                resume(run.folder) if run.exists else train(recipe, run.folder)
            except BlockingIOError:
                print("another process is at work on it")
                left.append(entry)
            else:
                write_record(entry.name, seeds, folder)
        if not left or len(left) == len(before):
            return len(left)


def times_of(name: str) -> dict:
    """What `measure_times` wrote; a FileNotFoundError if nobody has measured this architecture yet."""
    return read_times(RESULTS / "times" / f"{name}.json", f"minivit zoo {name} --time")


def measure_times(name: str, *, steps: int = 15) -> dict:
    """Seconds of a step, and pictures a second in prediction, of one architecture on all cores; written to RESULTS."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((BATCH, 32, 32, 3)).astype(np.float32), rng.integers(10, size=BATCH)
    task = Classify(create(name, "cifar", **SMALLER.get(name, {})))
    recipe = Recipe(model=name, steps=1000, batch_size=BATCH, optimiser="muon", device="cpu", threads=cores())
    pictures = data.Samples(data.Dataset(rng.integers(256, size=(1000, 32, 32, 3), dtype=np.uint8)),
                            mean=[0.5] * 3, std=[0.25] * 3)
    with Threads(cores()) as threads:
        trainer = Trainer(task, recipe, [batch] * (steps + 2), threads)
        trainer.step()
        step = statistics.median(seconds_of(trainer.step) for _ in range(steps))
        with going_over(task, pictures, threads, progress=False) as over:
            predict = statistics.median(seconds_of(lambda: softmax(task.logits(pictures, over))) for _ in range(3))
    found = {"step": step, "pictures_a_second": round(len(pictures) / predict), "threads": cores(), **machine()}
    files.write_record(RESULTS / "times" / f"{name}.json", found)
    return found


def seconds_of(function) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def machine() -> dict:
    """What figures depend on besides the program."""
    library = blas()
    return {"processor": platform.processor() or platform.machine(), "cores": cores(),
            "python": platform.python_version(), "numpy": np.__version__, "loops": loops(),
            "blas": f"{library['name']} {library['version']}, {library['kernel']}", "date": date.today().isoformat()}


def write_record(name: str, seeds: tuple[int, ...], folder: Path) -> None:
    """Write RESULTS/NAME.json: what is known of an architecture by now; nothing before its first seed is done."""
    found = {seed: Run(folder / Entry(name, seed).folder) for seed in seeds}
    results = {seed: result for seed, run in found.items() if (result := run.result())}
    if not results:
        return
    config = found[min(results)].config()
    counted = count(create(name, "cifar", **SMALLER.get(name, {})), (1, 32, 32, 3))
    record = {"name": name, "settings": SMALLER.get(name, {}), "parameters": counted.parameters,
              "multiply_adds": counted.multiply_adds, "steps": config["recipe"]["steps"], "lr": config["recipe"]["lr"],
              "held_out": {f"{rate:g}": accuracy for rate, accuracy in tried_rates(name, folder).items()},
              "accuracies": {str(seed): result["test_accuracy"] for seed, result in results.items()},
              "test_pictures": results[min(results)]["test_pictures"], "data": config["data"]["name"], **machine()}
    files.write_record(RESULTS / f"{name}.json", record)


def read_records() -> list[dict]:
    """Of every architecture that has one, its record together with its times."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return [record | {"times": times_of(record["name"])} for record in records]
