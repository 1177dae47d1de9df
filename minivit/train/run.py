"""The folder of a run: what was asked for, what happened, and all that is needed to go on.

    config.json             the recipe, the data, versions: written at the start
    metrics.jsonl           one JSON object a line, every hundredth of the run and at every evaluation
    checkpoint.safetensors  weights, their average, the optimiser's state, and where the run stands
    run.lock                held by the process that trains here
    curves.png              loss and what else the task reports, over the epochs
    confusion.png           which classes are taken for which, on the test set; or pictures.png, what the task draws
"""

import contextlib
import json
import os
import pathlib
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import list2cmdline
from typing import Any

from ..files import locked, write_atomically
from ..processes import processes
from ..types import AnyPath, Line, State
from .checkpoint import load_checkpoint, save_checkpoint
from .recipe import Recipe


class Run:
    """A run folder, new or old."""

    def __init__(self, folder: AnyPath) -> None:
        self.folder = Path(folder)

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return self._config_path.exists()

    @property
    def _config_path(self):
        return self.folder / "config.json"

    @property
    def _metrics_path(self):
        return self.folder / "metrics.jsonl"

    @property
    def checkpoint_path(self) -> pathlib.Path:
        """The file of the checkpoint; not there before the first one is written."""
        return self.folder / "checkpoint.safetensors"

    def alone(self) -> AbstractContextManager:
        """Make the folder, and inside the `with` block keep every other process from training in it.

        Raises
        ------
        BlockingIOError
            If another one does.
        """
        return locked(self.folder / "run", wait=False)

    def write_config(self, recipe: Recipe, **facts: Any) -> None:
        """Write the recipe, and facts that do not decide the run: classes, versions ..."""
        text = json.dumps({"recipe": recipe.to_dict()} | facts, indent=2, default=lambda number: number.item())
        write_atomically(self._config_path, text + "\n")

    def config(self) -> dict[str, Any]:
        """The dictionary that `write_config` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder holds no run.
        """
        if not self.exists:
            near = sorted(str(path.parent) for path in self.folder.parent.glob("*/config.json"))
            there = f"; there are {', '.join(near)}" if near else ""
            raise FileNotFoundError(f"{self.folder}: no run in this folder (it has no config.json){there}")
        try:
            return json.loads(self._config_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self._config_path}: not the config of a run ({error})") from error

    def about_data(self) -> dict[str, Any]:
        """What `describe` said of the data when the run began: classes, size of the pictures, mean ..."""
        config = self.config()
        if "data" not in config:
            raise ValueError(f"{self.folder}: the training of a notebook; only the notebook knows its model and data")
        return config["data"]

    def recipe(self) -> Recipe:
        """The recipe of the run."""
        config = self.config()
        if "architecture" in config or "model_type" in config:
            raise ValueError(f"{self.folder}: a checkpoint of timm or transformers, and no run; "
                             f"python -m minivit predict --weights {self.folder} ... takes it")
        return Recipe.from_dict(config["recipe"])

    def write_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe in the config."""
        self.write_config(**self.config() | {"recipe": recipe})

    def log(self, line: Line) -> None:
        """Add one dictionary to the metrics."""
        with open(self._metrics_path, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def metrics(self) -> list[Line]:
        """All lines of the metrics as dictionaries; a line that was cut off when the machine stopped is left out."""
        lines = []
        if self._metrics_path.exists():
            for text in self._metrics_path.read_text(encoding="utf-8").splitlines():
                try:
                    lines.append(json.loads(text))
                except json.JSONDecodeError:
                    break
        return lines

    def result(self) -> Line | None:
        """The last line of a complete run, or None."""
        return next((line for line in self.metrics() if line.get("final")), None)

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines that a resumed run is going to write again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        write_atomically(self._metrics_path, "".join(json.dumps(line) + "\n" for line in kept))

    def save_checkpoint(self, state: dict[str, Any], **states: State) -> None:
        """Replace the checkpoint."""
        save_checkpoint(self.checkpoint_path, state, **states)

    def load_checkpoint(self) -> tuple[dict[str, Any], dict[str, State]] | None:
        """(state, {group: {name: array}}) of the checkpoint, or None before the first."""
        return load_checkpoint(self.checkpoint_path) if self.checkpoint_path.exists() else None

    def kept(self) -> str:
        """What is left of a run that has ended early, in one sentence without its full stop."""
        checkpoint = self.load_checkpoint()
        if checkpoint is None:
            return f"{self.folder} has no checkpoint yet"
        return f"{self.folder} has the checkpoint of step {checkpoint[0]['step']}"

    def resume_command(self) -> str:
        """What to type to go on."""
        together = f"mpiexec -n {processes().size} " if processes().size > 1 else ""
        return f"{together}python -m minivit train --resume {list2cmdline([str(self.folder)])}"  # quoted if need be


class SharedRun(Run):
    """The same folder for a process that is not the first of several: it reads, and the first one writes."""

    def alone(self) -> AbstractContextManager:
        """The first process keeps others away."""
        return contextlib.nullcontext()

    def write_config(self, recipe: Recipe, **facts: Any) -> None:
        """The first process does it."""

    def write_recipe(self, recipe: Recipe) -> None:
        """The first process does it."""

    def log(self, line: Line) -> None:
        """The first process does it."""

    def forget_metrics_after(self, step: int) -> None:
        """The first process does it."""

    def save_checkpoint(self, state: dict[str, Any], **states: State) -> None:
        """The first process does it."""


def new_folder(parent: AnyPath, name: str) -> pathlib.Path:
    """Make the folder parent/name-1, or of the first number that is not there yet, which no other process has made."""
    number = 1
    while True:
        folder = Path(parent) / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
