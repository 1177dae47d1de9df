"""Write tasks.md, what every task reaches: python -m docs.tasks

    python -m docs.tasks                          the page, from the records in docs/results/tasks
    python -m docs.tasks --time mae clip          first, on a quiet machine: how long their steps take
    python -m docs.tasks --run mae clip           measure these; what was stopped goes on where it was
    python -m docs.tasks --run moco --minutes 60 --seeds 0
"""

import argparse
from pathlib import Path

import numpy as np

from .task_records import ENCODERS, measure, read_records, write_record
from .task_runs import RUNS, measure_time

PATH = Path(__file__).with_suffix(".md")
SHOWN = [("knn", "k-NN"), ("random_knn", "random"), ("linear", "linear probe"), ("random_linear", "random"),
         ("fine_tuned", "fine-tuned"), ("scratch", "from scratch")]
ROWS = [("trained", "trained"), ("unseen", "on combinations never seen"), ("untrained", "before its training"),
        ("without_looking", "without looking")]
INTRODUCTION = """# What every task reaches

Written by `python -m docs.tasks` from the records in `docs/results/tasks`, which say machine, versions and date;
`python -m docs.tasks --run NAME` measures one. A run has as many steps as fit into its minutes on two quiet cores, by
the step time in `docs/results/tasks/times`. Several numbers are the mean over the seeds, and the lowest and the
highest.
"""
ENCODED = """## What learning without labels is worth

Accuracy on the test set of CIFAR-10 in percent. k-NN (20 neighbours by cosine) and the linear probe read the vectors of
the encoder, with the labels of the whole training set; *random* is the same encoder before its training, and nothing
that is not above it was learned. *Fine-tuned* begins with the encoder and learns from a few labels, *from scratch*
begins as drawn, with the same settings. Where the loss stayed on a plateau to the end, its meaning stands in the last
column.
"""
MEASURED = """## What the tasks measure themselves

On the test set, beside the same model before its training. *Without looking* is what is reached by always saying
"background" or the most frequent sentence, or by a random answer. Of combinations of colour and shape that are in no
training picture, scenes have a test set of their own.
"""


def span(numbers, digits):
    """The mean of some numbers, and between which they lie: 31.2 (30.9 to 31.6); "-" where there is none."""
    numbers = np.array(numbers, float)
    if not numbers.size or np.isnan(numbers).any():
        return "-"
    ends = f" ({numbers.min():.{digits}f} to {numbers.max():.{digits}f})" if len(numbers) > 1 else ""
    return f"{numbers.mean():.{digits}f}{ends}"


def table(head, rows):
    """The lines of a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]) + "\n"


def grouped(records):
    """{(name, minutes, epochs, labels): the records of its seeds}"""
    found = {}
    for record in records:
        found.setdefault((record["name"], *record["asked"].values()), []).append(record)
    return found


def encoder_row(name, records):
    """The line of one encoder, of all its seeds."""
    stuck = sorted({record["plateau"] for record in records if record["plateau"]})
    return [f"`{name}`", f"`{records[0]['model']}`", ", ".join(str(record["seed"]) for record in records),
            f"{np.mean([record['epochs'] for record in records]):.1f}",
            *(span([100 * record[key] for record in records], 1) for key, _ in SHOWN), "; ".join(stuck)]


def own_table(records):
    """The table of what a task measures, of all its seeds."""
    names = list(records[0]["trained"])
    rows = [[title, *(span([record[key][name] for record in records if name in record.get(key, {})], 3)
                      for name in names)] for key, title in ROWS if records[0].get(key)]
    return table(["", *(name.replace("_", " ") for name in names)], rows)


def page(records):
    """The text of tasks.md."""
    parts, groups = [INTRODUCTION, ENCODED], grouped(records)
    encoders = {key: group for key, group in groups.items() if key[0] in ENCODERS}
    for minutes, epochs, labels in dict.fromkeys(key[1:] for key in encoders):
        parts.append(f"### {minutes:g} minutes, then {epochs:g} epochs with {labels:,} labels\n")
        parts.append(table(["run", "model", "seeds", "epochs", *(title for _, title in SHOWN), "plateau"],
                           [encoder_row(key[0], group) for key, group in encoders.items()
                            if key[1:] == (minutes, epochs, labels)]))
    parts.append(MEASURED)
    for (name, minutes, *_), group in groups.items():
        seeds = ", ".join(str(record["seed"]) for record in group)
        parts.append(f"### `{name}`: {minutes:g} minutes on {group[0]['data']}, {group[0]['epochs']:.1f} epochs, "
                     f"seeds {seeds}\n")
        parts.append(own_table(group))
    return "\n".join(parts)


def main(arguments=None):
    """Measure what is asked for, then write the page."""
    parser = argparse.ArgumentParser(prog="python -m docs.tasks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", nargs="+", default=[], choices=RUNS, metavar="NAME", help="measure the step of these")
    parser.add_argument("--run", nargs="+", default=[], choices=RUNS, metavar="NAME", help="train and test these")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="S", help="(default 0 1 2)")
    parser.add_argument("--minutes", type=float, default=10, help="of training (default 10)")
    parser.add_argument("--epochs", type=float, default=30, help="of fine-tuning (default 30)")
    parser.add_argument("--labels", type=int, default=2000, help="for fine-tuning (default 2000)")
    parser.add_argument("--runs", type=Path, default=Path("runs/tasks"), metavar="FOLDER", help="(default runs/tasks)")
    args = parser.parse_args(arguments)
    for name in args.time:
        print(f"{name:<24}{1e3 * measure_time(name)['step']:>8.1f} ms a step", flush=True)
    for seed in args.seeds if args.run else ():
        for name in args.run:
            record = measure(name, seed, args.runs, minutes=args.minutes, epochs=args.epochs, labels=args.labels)
            print(f"wrote {write_record(record)}")
    PATH.write_text(page(read_records()), encoding="utf-8", newline="\n")
    print(f"wrote {PATH}")


if __name__ == "__main__":
    main()
