"""What a model can be trained for, one task a file, found by looking into this folder: a file with TASK is a task."""

import importlib
import pkgutil

from ..names import expect
from .task import Task, begin_alike, follow, freeze, knn_accuracy, likeness, slow_copy


def list_tasks() -> list[str]:
    """The names of all tasks: ["classify", "distil", "mae" ...]."""
    return [module.name for module in pkgutil.iter_modules(__path__) if module.name != "task"]


def find_task(name: str) -> type[Task]:
    """The class of a task.

    Raises
    ------
    ValueError
        For a name that does not exist; the message suggests the nearest one.
    """
    expect("task", name, list_tasks())
    return importlib.import_module(f"{__name__}.{name}").TASK
