"""What tasks.md is measured with: recipes by name, runs that go on where they were, and how long a step takes.

How many steps a run has follows from the minutes that it is given and from the time of a step, which was measured once,
on a quiet machine. So it can go on in the background, on a busy machine or another.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from minivit.files import write_record
from minivit.lessons.step_time import read_times, step_seconds, steps_within
from minivit.lessons.zoo import machine
from minivit.names import expect
from minivit.tasks import find_task
from minivit.train import Recipe, Run, resume, train

RESULTS = Path(__file__).parent / "results" / "tasks"
RUNS = {  # what is measured: a task, and what differs from its own recipe
    "discriminate": ("discriminate", {}),
    "dvae": ("dvae", {}),
    "beit": ("beit", {}),
    "simmim": ("simmim", {}),
    "simmim_vit": ("simmim", {"model": "vit", "task_settings": {"unit": 8}}),
    "igpt": ("igpt", {}),
    "mae": ("mae", {}),
    "moco": ("moco", {}),
    "moco_without_momentum": ("moco", {"task_settings": {"momentum": 0.0}}),
    "dino": ("dino", {}),
    "dino_uncentred": ("dino", {"task_settings": {"centring": False}}),
    "dino_unsharpened": ("dino", {"task_settings": {"sharpening": False}}),
    "dino_neither": ("dino", {"task_settings": {"centring": False, "sharpening": False}}),
    "dinov2": ("dinov2", {}),
    "segment_naive": ("segment", {"task_settings": {"decoder": "naive"}}),
    "segment_pup": ("segment", {}),
    "segment_mla": ("segment", {"task_settings": {"decoder": "mla"}}),
    "segment_shapes10": ("segment", {"data": "shapes10"}),
    "detect": ("detect", {}),
    "maskformer": ("maskformer", {}),
    "maskformer_classes": ("maskformer", {"task_settings": {"regions": "classes"}}),
    "caption": ("caption", {}),
    "clip": ("clip", {}),
}


def recipe_of(name, seed=0, **changes):
    """The recipe of one of RUNS: the task's own, with what differs, and with `changes`.

    Raises
    ------
    ValueError
        For a name that is not in RUNS, with the nearest one.
    """
    expect("run", name, RUNS)
    task, differs = RUNS[name]
    defaults = find_task(task).defaults
    settings = defaults.get("task_settings", {}) | differs.get("task_settings", {}) | changes.pop("task_settings", {})
    return replace(Recipe(), **{"task": task, "data": "cifar10"} | defaults | differs | changes
                   | {"seed": seed, "task_settings": settings})


def trained(recipe, folder):
    """The complete run of a recipe in a folder: begun, gone on with, or only read.

    Raises
    ------
    ValueError
        If the folder holds the run of another recipe: names what differs.
    """
    run = Run(folder)
    if run.exists:
        given, there = json.loads(json.dumps(recipe.to_dict())), run.recipe().to_dict()
        chosen = {"device", "threads", "data"} | ({"steps"} if recipe.steps is None else set())  # by the run
        different = [name for name in given if name not in chosen and given[name] != there[name]]
        if different:
            raise ValueError(f"{folder}: is a run with another {', '.join(different)}; take another --runs folder")
        if not run.result():
            resume(folder)
    else:
        train(recipe, folder)
    return run


def times_path(name):
    """Where the step time of one of RUNS stands."""
    return RESULTS / "times" / f"{name}.json"


def measure_time(name):
    """The seconds of a training step, {"step": ...} with the machine; written where `steps_of` reads them.

    Of a task that begins with another's run, that is one of a single step.
    """
    recipe = recipe_of(name)
    with tempfile.TemporaryDirectory() as folder:
        other = beginning(recipe, Path(folder) / "first", lambda first: replace(first, steps=1, evaluations=0))
        seconds = step_seconds(replace(recipe, task_settings=recipe.task_settings | other))
    found = {"step": seconds, **machine()}
    write_record(times_path(name), found)
    return found


def steps_of(name, minutes):
    """How many steps of one of RUNS fit into some minutes; a FileNotFoundError if nobody has measured its step time."""
    return steps_within(minutes, read_times(times_path(name), f"docs.tasks --time {name}"))


def beginning(recipe, folder, given):
    """What a task needs that begins with another's run: {"tokenizer": folder} for BEiT, {} for most.

    `given` takes that other run's recipe, and gives the one that is trained in the folder, unless that is done.
    """
    if "tokenizer" not in find_task(recipe.task).runs:
        return {}
    trained(given(recipe_of("dvae", recipe.seed, data=recipe.data)), folder)
    return {"tokenizer": str(folder.resolve())}
