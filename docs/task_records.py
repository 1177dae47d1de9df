"""What tasks.md knows of a run: how good it is, beside the same before its training, and what its encoder is worth."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np

from minivit import data, files
from minivit.data import Samples
from minivit.lessons.zoo import machine
from minivit.tasks import find_task
from minivit.train import Recipe, Threads, evaluate, load_model, load_task, probe
from minivit.train.measure import BATCH
from minivit.train.probes import PROBES
from minivit.train.start import build

from .task_runs import RESULTS, RUNS, beginning, recipe_of, steps_of, trained

TUNING = {"optimiser": "adamw", "lr": 1e-3, "batch_size": 64, "average": None, "evaluations": 0}
TABLES = ("exact",)  # what a test gives as a table, and is worth its columns
ENCODERS = [name for name, (task, _) in RUNS.items() if not find_task(task).needs and task != "dvae"]


def measure(name, seed, folder, *, minutes, epochs, labels):
    """The record of one of RUNS with a seed: train what is not trained yet, in folders below `folder`, and test it.

    Of an encoder that learned without labels, k-NN and a linear probe look at its vectors and at those before its
    training; then a classifier begins with it and learns from a few labels, and another one begins from scratch.
    """
    def at_length(recipe):
        return replace(recipe, minutes=minutes, steps=steps_of("dvae", minutes))
    recipe = recipe_of(name, seed)
    other = beginning(recipe, folder / f"dvae-{seed}", at_length)
    run = trained(replace(recipe, minutes=minutes, steps=steps_of(name, minutes),
                          task_settings=recipe.task_settings | other), folder / f"{name}-{seed}")
    recipe, result = run.recipe(), run.result()
    sets = data.load(recipe.data)
    record = {"name": name, "seed": seed, "asked": {"minutes": minutes, "epochs": epochs, "labels": labels},
              "data": recipe.data, "model": f"{recipe.model}:{recipe.variant}", "steps": result["step"],
              "epochs": round(result["epoch"], 2), "threads": recipe.threads,
              "plateau": run.metrics()[-2].get("plateau"), **tests(run, *sets)}
    if name in ENCODERS:
        model = {each: getattr(recipe, each) for each in ("model", "variant", "settings", "data", "seed")}
        tuning = Recipe(**model, **TUNING, pictures=labels, epochs=epochs)
        tuned = trained(replace(tuning, init=str(run.folder.resolve())), folder / f"{name}-{seed}-tuned")
        as_drawn = trained(tuning, folder / f"{in_a_name(recipe)}-{seed}-scratch")
        record |= probes(run, *sets) | {"fine_tuned": tuned.result()["test_accuracy"],
                                 "scratch": as_drawn.result()["test_accuracy"]}
    return record | machine()


def in_a_name(recipe):
    """The model of a recipe as the name of a folder, so that all who begin from scratch with it share one run."""
    settings = (f"{key}{value}" for key, value in sorted(recipe.settings.items()))
    return "-".join([recipe.model, recipe.variant, *settings])


def tests(run, train_set, test_set):
    """What the task measures: {"trained": {name: number}, "untrained": ..., "unseen": ..., "without_looking": ...}.

    "unseen" is on `scenes_unseen`, for a run on scenes. "without_looking" is what those reach who always give the same
    answer, or any answer, as far as that is known.
    """
    recipe, about = run.recipe(), run.about_data()

    def tested(task, dataset):
        samples = Samples(dataset, mean=about["mean"], std=about["std"], device=recipe.device)
        with Threads(recipe.threads) as threads:
            return flat(evaluate(task.to(recipe.device), samples, threads))
    task = load_task(run)
    found = {"trained": tested(task, test_set), "untrained": tested(build(recipe, about), test_set)}
    if recipe.data == "scenes":
        found["unseen"] = tested(task, data.load("scenes_unseen")[1])
    return found | {"without_looking": without_looking(recipe.task, train_set, test_set)}


def flat(measured):
    """Numbers by name; tables that are worth it become numbers, the others are left out."""
    numbers = {name: float(value) for name, value in measured.items() if not isinstance(value, list)}
    for table in TABLES:
        numbers |= {f"{table}, {name}": value for name, value in measured.get(table, [])}
    return numbers


def without_looking(task, train_set, test_set):
    """What is reached by always saying "background" or the most frequent sentence, or by any answer: {name: number}."""
    if task == "segment":
        share = float((test_set.masks == 0).mean())
        return {"miou": share / (1 + len(test_set.classes)), "pixel_accuracy": share}
    if task == "caption":
        (sentence, _), = Counter(map(bytes, train_set.sentences)).most_common(1)
        return {"sentence_accuracy": float(np.mean([bytes(each) == sentence for each in test_set.sentences]))}
    if task == "clip":
        return {"accuracy": 1 / BATCH, "zero_shot_accuracy": 1 / 108, "zero_shot_accuracy_of_pairs": 1 / 36}
    return {}


def probes(run, *sets):
    """{"knn": accuracy, "random_knn": ..., "linear": ..., "random_linear": ...} of a run's encoder."""
    recipe, about = run.recipe(), run.about_data()
    train_set, test_set = (Samples(each, mean=about["mean"], std=about["std"], device=recipe.device) for each in sets)
    encoders = {"": load_model(run), "random_": build(recipe, about).backbone}
    with Threads(recipe.threads) as threads:
        return {f"{prefix}{kind}": probe(model.to(recipe.device), train_set, test_set, threads, kind=kind)
                for prefix, model in encoders.items() for kind in PROBES}


def write_record(record):
    """Write the record of one run, named by what it is, its minutes and its seed; returns its path."""
    path = RESULTS / f"{record['name']}-{record['asked']['minutes']:g}min-{record['seed']}.json"
    files.write_record(path, record)
    return path


def read_records():
    """All records, in the order of RUNS, of their minutes and of their seeds."""
    order = list(RUNS)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    return sorted(records, key=lambda record: (order.index(record["name"]), record["asked"]["minutes"],
                                               record["seed"]))
