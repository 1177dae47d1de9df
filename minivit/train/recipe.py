"""A recipe: everything that decides how a training run ends, as plain values.

The recipes that come with minivit are the files of `recipes/`; each has a variable `recipe`. One's own file does as
well: python -m minivit train --recipe my_recipe.py
"""

import importlib
import math
import pkgutil
import runpy
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..names import expect
from ..precision import PRECISIONS
from ..tasks import list_tasks

BASES = ("adamw", "sgd", "muon")  # optimisers; "sam" is around one of them

# names of settings; whether they are whole numbers; what must hold; the same in words
CHECKS = [
    (("pictures", "steps", "batch_size", "evaluation_size", "threads"), True, lambda n: n > 0,
     "a whole number above 0"),
    (("seed", "evaluations", "held_out"), True, lambda n: n >= 0, "a whole number of at least 0"),
    (("epochs", "minutes", "lr", "clip", "agc"), False, lambda x: x > 0, "a number above 0"),
    (("weight_decay", "final_weight_decay"), False, lambda x: x >= 0, "a number of at least 0"),
    (("warmup", "final_lr"), False, lambda x: 0 <= x <= 1, "a number from 0 to 1"),
    (("average",), False, lambda x: 0 <= x < 1, "a number from 0 to below 1"),
]


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how.

    Parameters
    ----------
    task : str
        What is learned: "classify", or another file of `minivit/tasks`.
    task_settings : dict
        Of the task: {"mixup": 0.2, "label_smoothing": 0.1}.
    model, variant : str
        As `create` takes them.
    settings : dict
        What differs from the variant: {"dim": 128, "drop_path": 0.1}.
    init : str or None
        The folder of a run whose weights the model begins with; parts of another shape, as a head for other classes,
        are drawn.
    data : str
        "auto", "cifar10", "cifar100", "shapes10", "scenes" or a folder.
    held_out : int
        How many pictures at the end of the training set are tested on in the place of the test set, and not trained on:
        to choose by.
    pictures : int or None
        Train on the first so many pictures only, as many of each class; by default on all.
    seed : int
        Everything random follows from it: weights, order, augmentation, dropout.
    steps, epochs, minutes : int, float, float
        How long, by the first of them that is given. A run works the steps out when it starts, from minutes by
        measuring its speed, and writes them into its copy of the recipe.
    batch_size : int
    optimiser : str
        "adamw", "sgd" or "muon", with further `optimiser_settings`: {"betas": (0.9, 0.95)}. Or "sam" around one of
        them, with two gradients a step: {"base": "sgd", "rho": 0.05, "momentum": 0.9}.
    lr, warmup, final_lr : float
        The highest learning rate, the fraction of the steps in which it rises to it, and the last one as a fraction.
    weight_decay, final_weight_decay : float, float or None
        At the first step and, by half a cosine, at the last; None leaves it as it is.
    clip : float or None
        The largest norm of all gradients together.
    agc : float or None
        Adaptive gradient clipping, before that: the largest norm of the gradient of a unit, as a fraction of the norm
        of its weights; the head is spared. NFNets have 0.01.
    augmentation : list of (str, dict)
        Steps in their order, each a function of `minivit.data`, with their settings: [("random_crop", {"padding": 4})].
    average : float or None
        Decay of the exponential moving average of the weights; the average is what is tested and kept.
    evaluations : int
        How often, in equal intervals, the first `evaluation_size` test pictures are looked at for the curves. All of
        them are used once, after the last step.
    device : str
        "auto", "cpu" or "cuda".
    threads : int or None
        CPU threads that share each batch, by default one for each core. Another number rounds differently.
    precision : str
        "float32", or on a GPU "tf32" or "bfloat16": see `minivit.precision.product_precision`.
    shard : str or None
        "optimiser": of several processes that train together, each keeps only its part of the optimiser's state and of
        the averaged weights.
    """

    task: str = "classify"
    task_settings: dict = field(default_factory=dict)
    model: str = "vit"
    variant: str = "cifar"
    settings: dict = field(default_factory=dict)
    init: str | None = None
    data: str = "auto"
    held_out: int = 0
    pictures: int | None = None
    seed: int = 0
    steps: int | None = None
    epochs: float | None = None
    minutes: float = 4.0
    batch_size: int = 64
    optimiser: str = "muon"
    optimiser_settings: dict = field(default_factory=dict)
    lr: float = 4e-3
    warmup: float = 0.1
    final_lr: float = 0.0
    weight_decay: float = 0.05
    final_weight_decay: float | None = None
    clip: float | None = 1.0
    agc: float | None = None
    augmentation: list = field(default_factory=lambda: [
        ("random_crop", {"padding": 2, "mode": "reflect"}), ("random_flip", {})])
    average: float | None = 0.99
    evaluations: int = 5
    evaluation_size: int = 1000
    device: str = "auto"
    threads: int | None = None
    precision: str = "float32"
    shard: str | None = None

    def __post_init__(self) -> None:
        for names, whole, holds, expected in CHECKS:
            for name in names:
                value = getattr(self, name)
                kind = Integral if whole else Real
                if value is not None and not (isinstance(value, kind) and math.isfinite(value) and holds(value)):
                    raise ValueError(f"{name}: expected {expected}, got {value!r}")
        if self.final_weight_decay is not None and not self.weight_decay:
            raise ValueError(f"final_weight_decay: {self.final_weight_decay} needs a weight_decay above 0 at first")
        expect("task", self.task, list_tasks())
        expect("optimiser", self.optimiser, (*BASES, "sam"))
        if self.optimiser == "sam":
            expect('"base" of sam', self.optimiser_settings.get("base", "sgd"), BASES)
        expect("precision", self.precision, PRECISIONS)
        if self.shard is not None:
            expect("shard", self.shard, ("optimiser",))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The recipe of a run folder.

        Raises
        ------
        ValueError
            For a name that recipes do not have: the run was made by another version.
        """
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"recipe: unknown {', '.join(sorted(unknown))}; was the run made by another version?")
        return cls(**values)


def load_recipe(name: str) -> Recipe:
    """The recipe of a file in `recipes/` ("vit_15min") or of one's own ("my_recipe.py")."""
    if name.endswith(".py"):
        if not Path(name).exists():
            raise ValueError(f"recipe: there is no file {name}")
        recipe = runpy.run_path(name).get("recipe")
        if not isinstance(recipe, Recipe):
            raise ValueError(f"recipe: {name} has no variable `recipe` that is a Recipe")
        return recipe
    from . import recipes
    expect("recipe", name, [module.name for module in pkgutil.iter_modules(recipes.__path__)])
    return importlib.import_module(f"{recipes.__name__}.{name}").recipe
