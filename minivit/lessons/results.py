"""What trained models reached, as small records that the table of the README is made from: docs/results/*.json."""

import json
from pathlib import Path

from .. import files
from ..tasks import find_task
from ..train import Run, load_model, load_recipe
from ..viz import png, race, style
from . import weights
from .chance import chance
from .step_time import step_seconds

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results"
FIGURE = ROOT / "docs" / "figures" / "kept_runs.png"
HEAD = """| command | model | parameters | epochs | minutes of training | test accuracy |
|---|---|---|---|---|---|
"""
CHOSEN_BY_THE_RUN = ("steps", "device", "threads")  # what a recipe may leave to the machine


def record(folder, name, model, *, quiet=False):
    """The record of a complete run of a recipe in `recipes/`, as a dictionary that JSON can hold.

    Parameters
    ----------
    folder : str or Path
        Of the run.
    name : str
        Of the recipe: "vit_15min".
    model : str
        The model in words, for the table.
    quiet : bool
        The run was one in the background, and now the machine is quiet: its minutes are those of as many steps as
        they are measured now, with all cores.

    Raises
    ------
    ValueError
        If the run is not complete, or was not a run of this recipe.
    """
    run, recipe = Run(folder), load_recipe(name).to_dict()
    config, result = run.config(), run.result()
    if result is None:
        raise ValueError(f"{folder}: not finished; {run.resume_command()}")
    given = json.loads(json.dumps(recipe))  # as JSON holds it: lists instead of tuples
    there = run.recipe().to_dict()  # a setting that is newer than the run has its default
    others = find_task(recipe["task"]).runs  # the folders of other runs, as a teacher's, which no recipe names
    there["task_settings"] = {key: value for key, value in there["task_settings"].items() if key not in others}
    different = [key for key in given if key not in CHOSEN_BY_THE_RUN and there[key] != given[key]]
    if different:
        raise ValueError(f"{folder}: not a run of {name}, it differs in {', '.join(different)}")
    try:
        parameters = load_model(run).parameters()
    except ValueError as error:
        raise ValueError(f"{folder}: {recipe['model']}:{recipe['variant']} has other weights now than in this "
                         f"run") from error
    seconds = step_seconds(run.recipe()) * config["recipe"]["steps"] if quiet else result["seconds"]
    return {"recipe": name, "model": model,
            "parameters": sum(parameter.size for parameter in parameters),
            "epochs": round(result["epoch"], 2), "minutes": round(seconds / 60, 1),
            "test_accuracy": result["test_accuracy"], "test_pictures": result["test_pictures"],
            "data": config["data"]["name"], "seed": recipe["seed"], "steps": config["recipe"]["steps"],
            "threads": config["recipe"]["threads"], "background": quiet, "python": config["python"],
            "numpy": config["numpy"], "loops": config["loops"]}


def write_record(record):
    """Write a record as FOLDER/RECIPE.json; returns the path."""
    path = FOLDER / f"{record['recipe']}.json"
    files.write_record(path, record)
    return path


def read_records():
    """All records, the highest accuracy last."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return sorted(records, key=lambda record: record["test_accuracy"])


def draw_kept():
    """Draw the curves of all kept models that have a record into FIGURE; returns the path."""
    minutes = {record["recipe"]: record["minutes"] for record in read_records()}
    runs = {path.name: (Run(path).metrics(), minutes[path.name])
            for path in sorted(weights.FOLDER.iterdir()) if path.name in minutes}
    style()
    figure = race(runs, chance=chance().percent / 100)
    files.write_atomically(FIGURE, png(figure))
    return FIGURE


def all_records(lessons):
    """The rows of the table: of recipes, then of the models that lessons trained.

    Parameters
    ----------
    lessons : {str: list of dict}
        The records of `read_lessons`.
    """
    return read_records() + [record for records in lessons.values() for record in records if record["kind"] == "model"]


def table(records):
    """The records as a table in Markdown; one that was not a recipe's tells its own command."""
    rows = ""
    for record in records:
        command = record.get("command") or f"python -m minivit train --recipe {record['recipe']}"
        parameters = f"{record['parameters'] / 1e6:.1f} M" if "parameters" in record else ""
        epochs = f"{record['epochs']:.1f}" if record["epochs"] >= 1 else f"{record['epochs']:.2f}"
        minutes = f"{record['minutes']}{'*' * record.get('background', False)}"
        rows += (f"| `{command}` | {record['model']} | {parameters} | {epochs} | {minutes} | "
                 f"{100 * record['test_accuracy']:.1f} % |\n")
    return HEAD + rows


def update(path, records):
    """Replace the table in a Markdown file; returns whether it was another one."""
    text = Path(path).read_text(encoding="utf-8")
    start = text.find(HEAD)
    if start < 0:
        raise ValueError(f"{path}: expected a table with the head {HEAD.splitlines()[0]!r}")
    end = text.find("\n\n", start) + 1
    return files.write_if_changed(path, text[:start] + table(records) + text[end:])
