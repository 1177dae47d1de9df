"""A recipe: everything that decides how a training run ends, as plain values.

The recipes that come with minivit are the files of `recipes/`; each has a variable `recipe`. One's own file does as
well: python -m minivit train --recipe my_recipe.py
"""

import importlib
import pkgutil
import runpy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..precision import PRECISIONS
from ..names import expect


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how.

    Parameters
    ----------
    model, variant : str
        As `create` takes them.
    settings : dict
        What differs from the variant: {"dim": 128, "drop_path": 0.1}.
    data : str
        "auto", "cifar10", "cifar100", "shapes10" or a folder.
    seed : int
        Everything random follows from it: weights, order, augmentation, dropout.
    steps, epochs, minutes : int, float, float
        How long, by the first of them that is given. A run works the steps out when it starts, from minutes by
        measuring its speed, and writes them into its copy of the recipe.
    batch_size : int
    optimiser : str
        "adamw", "sgd" or "muon", with further `optimiser_settings`: {"betas": (0.9, 0.95)}.
    lr, warmup, final_lr : float
        The highest learning rate, the fraction of the steps in which it rises to it, and the last one as a fraction.
    weight_decay : float
    clip : float or None
        The largest norm of all gradients together.
    augmentation : list of (str, dict)
        Steps in their order, each a function of `minivit.data`, with their settings: [("random_crop", {"padding": 4})].
    mixup, cutmix : float
        Their alpha, 0 for none. With both, each batch gets one of them by chance.
    label_smoothing : float
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
    """

    model: str = "vit"
    variant: str = "cifar"
    settings: dict = field(default_factory=dict)
    data: str = "auto"
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
    clip: float | None = 1.0
    augmentation: list = field(default_factory=lambda: [
        ("random_crop", {"padding": 2, "mode": "reflect"}), ("random_flip", {})])
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    average: float | None = 0.99
    evaluations: int = 5
    evaluation_size: int = 1000
    device: str = "auto"
    threads: int | None = None
    precision: str = "float32"

    def __post_init__(self):
        for name in ("steps", "epochs", "minutes", "batch_size", "lr", "evaluation_size", "threads"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        expect("optimiser", self.optimiser, ("adamw", "sgd", "muon"))
        expect("precision", self.precision, PRECISIONS)

    def to_dict(self):
        """The recipe as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
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


def load_recipe(name):
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
