"""Write tasks.md, what learning without labels is worth: python -m docs.tasks

    python -m docs.tasks                          the page, from the records in docs/results/tasks
    python -m docs.tasks --run mae moco           measure these tasks first; what was stopped goes on where it was
    python -m docs.tasks --run moco --minutes 60 --seeds 0

For each task and seed: an encoder is trained by the task's own recipe; k-NN and a linear probe, with the labels of the
whole training set, look at its vectors and at those of the same encoder before its training; then a classifier begins
with it and learns from a few labels, and another one begins from scratch, with the same settings and for as long.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from minivit import data
from minivit.backend import default_device
from minivit.cli.runs import threads_of
from minivit.data import Samples
from minivit.tasks import find_task, list_tasks
from minivit.train import Recipe, Run, Threads, load_model, probe, resume, train
from minivit.train.probes import PROBES
from minivit.train.start import build

PATH = Path(__file__).with_suffix(".md")
RECORDS = PATH.parent / "results" / "tasks"
TUNING = {"optimiser": "adamw", "lr": 1e-3, "batch_size": 64, "average": None, "evaluations": 0}
CHOSEN_BY_THE_RUN = {"steps", "device", "threads", "data"}
SHOWN = [("knn", "k-NN"), ("random_knn", "random"), ("linear", "linear probe"), ("random_linear", "random"),
         ("fine_tuned", "fine-tuned"), ("scratch", "from scratch")]


def measure(task, seed, runs, *, minutes, epochs, labels, data_name):
    """The record of a task and a seed: train what is not trained yet, in folders below `runs`, and test it."""
    pretraining = replace(Recipe(), **{"task": task} | find_task(task).defaults | {
        "seed": seed, "minutes": minutes, "data": data_name})
    run = trained(pretraining, runs / f"{task}-{seed}")
    model = {name: getattr(run.recipe(), name) for name in ("model", "variant", "settings", "data", "seed")}
    tuning = Recipe(**model, **TUNING, pictures=labels, epochs=epochs)
    tuned = trained(replace(tuning, init=str(run.folder.resolve())), runs / f"{task}-{seed}-tuned")
    scratch = trained(tuning, runs / f"{task}-{seed}-scratch")
    result = run.result()
    return {"task": task, "seed": seed, "asked": {"minutes": minutes, "epochs": epochs, "labels": labels,
                                                  "data": data_name},
            "data": run.recipe().data, "model": f"{model['model']}:{model['variant']}", "steps": result["step"],
            "epochs": round(result["epoch"], 2), "minutes": round(result["seconds"] / 60, 1),
            "threads": run.recipe().threads, "plateau": run.metrics()[-2].get("plateau"), **probes(run),
            "fine_tuned": tuned.result()["test_accuracy"], "scratch": scratch.result()["test_accuracy"]}


def trained(recipe, folder):
    """The complete run of a recipe in a folder: begun, gone on with, or only read."""
    run = Run(folder)
    if run.exists:
        given, there = json.loads(json.dumps(recipe.to_dict())), run.recipe().to_dict()
        different = [name for name in given if name not in CHOSEN_BY_THE_RUN and given[name] != there[name]]
        if different:
            raise ValueError(f"{folder}: is a run with another {', '.join(different)}; take another --runs folder")
        if not run.result():
            resume(folder)
    else:
        train(recipe, folder)
    return run


def probes(run):
    """{"knn": accuracy, "random_knn": ..., "linear": ..., "random_linear": ...} of a run's encoder."""
    recipe, about = run.recipe(), run.about_data()
    device = default_device()
    train_set, test_set = (Samples(each, mean=about["mean"], std=about["std"], device=device)
                           for each in data.load(recipe.data))
    encoders = {"": load_model(run), "random_": build(recipe, about).backbone}
    with Threads(threads_of(device)) as threads:
        return {f"{prefix}{kind}": probe(model.to(device), train_set, test_set, threads, kind=kind)
                for prefix, model in encoders.items() for kind in PROBES}


def read_records():
    """All records, in the order of their files' names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RECORDS.glob("*.json"))]


def in_percent(numbers):
    """The mean of some accuracies, and between which they lie: 31.2 (30.9 to 31.6)."""
    percent = 100 * np.array(numbers)
    span = f" ({percent.min():.1f} to {percent.max():.1f})" if len(percent) > 1 else ""
    return f"{percent.mean():.1f}{span}"


def row(records):
    """The line of one task at one budget, of all its seeds."""
    first, seeds = records[0], ", ".join(str(record["seed"]) for record in records)
    minutes, epochs = (np.mean([record[name] for record in records]) for name in ("minutes", "epochs"))
    cells = [f"`{first['task']}`", f"`{first['model']}`", seeds, f"{minutes:.1f}", f"{epochs:.2f}"]
    cells += [in_percent([record[name] for record in records]) for name, _ in SHOWN]
    stuck = sorted({record["plateau"] for record in records if record["plateau"]})
    return f"| {' | '.join(cells)} | {'; '.join(stuck)} |"


def page(records):
    """The text of tasks.md."""
    parts = ["# What learning without labels is worth\n",
             "Written by `python -m docs.tasks` from the records in `docs/results/tasks`; `python -m docs.tasks --run "
             "TASK` measures a task. Accuracy on the test set in percent: the mean over the seeds, and the lowest and "
             "the highest. k-NN (20 neighbours by cosine) and the linear probe read the vectors of the encoder, with "
             "the labels of the whole training set; *random* is the same encoder before its training, and nothing that "
             "is not above it was learned. *Fine-tuned* begins with the encoder and learns from a few labels, *from "
             "scratch* begins as drawn, with the same settings. Where the loss stayed on a plateau to the end, its "
             "meaning stands in the last column.\n"]
    budgets = dict.fromkeys(json.dumps(record["asked"], sort_keys=True) for record in records)
    for budget in budgets:
        asked = json.loads(budget)
        parts.append(f"## {asked['data']}: {asked['minutes']:g} minutes for a task, then {asked['epochs']:g} epochs "
                     f"with {asked['labels']:,} labels\n")
        head = ["task", "model", "seeds", "minutes", "epochs", *(title for _, title in SHOWN), "plateau"]
        parts.append(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
        here = [record for record in records if json.dumps(record["asked"], sort_keys=True) == budget]
        for task in dict.fromkeys(record["task"] for record in here):
            parts.append(row([record for record in here if record["task"] == task]))
        parts.append("")
    return "\n".join(parts)


def main(arguments=None):
    """Measure what is asked for, then write the page."""
    parser = argparse.ArgumentParser(prog="python -m docs.tasks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs="+", default=[], choices=list_tasks(), metavar="TASK", help="measure these")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="S", help="(default 0 1 2)")
    parser.add_argument("--minutes", type=float, default=15, help="of training without labels (default 15)")
    parser.add_argument("--epochs", type=float, default=30, help="of fine-tuning (default 30)")
    parser.add_argument("--labels", type=int, default=2000, help="for fine-tuning (default 2000)")
    parser.add_argument("--data", default="cifar10", metavar="NAME", help="(default cifar10)")
    parser.add_argument("--runs", type=Path, default=Path("runs/tasks"), metavar="FOLDER", help="(default runs/tasks)")
    args = parser.parse_args(arguments)
    asked = {"minutes": args.minutes, "epochs": args.epochs, "labels": args.labels}
    for seed in args.seeds if args.run else ():
        for task in args.run:
            record = measure(task, seed, args.runs, **asked, data_name=args.data)
            RECORDS.mkdir(parents=True, exist_ok=True)
            path = RECORDS / f"{task}-{args.minutes:g}min-{seed}.json"
            path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8", newline="\n")
            print(f"wrote {path}")
    PATH.write_text(page(read_records()), encoding="utf-8", newline="\n")
    print(f"wrote {PATH}")


if __name__ == "__main__":
    main()
