"""Models that were trained for longer than a lesson lasts, kept in lessons/weights: each is the folder of its run.

What training needs besides the weights is left out, and the weights are rounded to float16, so that a model of 1.5
million takes 3 MB. Whatever takes the folder of a run takes these as well:

    model = trained("vit_15min").model
    python -m minivit predict lessons/weights/vit_15min cat.png
    python -m minivit train vit --init lessons/weights/mae_15min
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import data
from ..names import expect
from ..nn import Module
from ..tasks import Task, find_task
from ..train import Run
from ..train.start import load_task
from .course import FOLDER as LESSONS

FOLDER = LESSONS / "weights"
LARGEST = 3_000_000  # bytes of one checkpoint


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained task, in evaluation mode, and what is known of its training.

    Parameters
    ----------
    task : Task
        `task.backbone` is its model.
    mean, std : float32 (3,)
        Of the channels of the pictures that it was trained on.
    classes : tuple of str
    history : list of dict
        The metrics of the run: what its curve is drawn from.
    result : dict
        The last line of the metrics, with what was measured on the test set.
    """

    task: Task
    mean: np.ndarray
    std: np.ndarray
    classes: tuple[str, ...]
    history: list[dict[str, Any]]
    result: dict[str, Any]

    @property
    def model(self) -> Module:
        """The backbone of the task: of classification, the whole classifier."""
        return self.task.backbone

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """Pictures as the model takes them.    uint8 (N, H, W, 3) -> float32 (N, H, W, 3)"""
        return data.normalise(images, self.mean, self.std)


def trained(name: str) -> Trained:
    """A model that comes with the lessons.

    Parameters
    ----------
    name : str
        A folder of lessons/weights: "vit_15min".

    Raises
    ------
    ValueError
        If there is none of this name, with those that there are.
    """
    expect("trained", name, sorted(path.parent.name for path in FOLDER.glob("*/config.json")))
    run = Run(FOLDER / name)
    about = run.about_data()
    mean, std = (np.asarray(about[key], np.float32) for key in ("mean", "std"))
    result = run.result()
    assert result is not None  # `keep` takes complete runs only
    return Trained(load_task(run), mean, std, tuple(about["classes"]), run.metrics(), result)


def keep(run: Run, name: str) -> Run:
    """Copy a complete run to lessons/weights/NAME, with the weights alone, as float16; returns the copy.

    A task that was built with another run, as a student with its teacher, is kept without it: as `Task.alone`.

    Raises
    ------
    ValueError
        If the run is not complete, is nothing without another run, or its weights take more than `LARGEST` bytes.
    """
    recipe, result = run.recipe(), run.result()
    if result is None:
        raise ValueError(f"{run.folder}: not finished; {run.resume_command()}")
    if data.is_folder(recipe.data):
        raise ValueError(f"{run.folder}: was trained on {recipe.data}; others have only the data sets with a name")
    task = find_task(recipe.task)
    others = [key for key in recipe.task_settings if key in task.runs]
    if others and not task.alone:
        raise ValueError(f"{run.folder}: its task is built with the run of its {', '.join(others)}, which is not kept")
    if others:
        recipe = replace(recipe, task=task.alone, task_settings={})
    weights = {key: array.astype(np.float16) if array.dtype == np.float32 else array
               for key, array in load_task(run).state_dict().items() if key.split(".")[0] not in others}
    size = sum(array.nbytes for array in weights.values())
    if size > LARGEST:
        raise ValueError(f"{run.folder}: its weights take {size:,} bytes as float16, expected at most {LARGEST:,}")
    copy = Run(FOLDER / name)
    copy.folder.mkdir(parents=True, exist_ok=True)
    copy.write_config(**run.config() | {"recipe": replace(recipe, init=None)})  # its folder was of that machine
    copy.save_checkpoint({"step": result["step"]}, task=weights)
    copy.forget_metrics_after(-1)
    for line in run.metrics():
        copy.log(line)
    return copy
