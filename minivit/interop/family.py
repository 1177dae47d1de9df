"""Family: all that the world outside calls an architecture of ours, in one value. Each file of families/ has one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .table import DERIVED, filled


def nothing(*_):
    """{}, for most architectures: no layout merges axes, no tensor stands in a file twice or beside the weights."""
    return {}


def first(model, names):
    """Every model is written with the first table."""
    return 0


@dataclass(frozen=True)
class Family:
    """The names of an architecture's tensors, its sizes, and its configurations, in both directions.

    Parameters
    ----------
    name : str
        As its file is called.
    models : dict
        {class of ours: where it has a counterpart}: {ViT: ("timm", "transformers"), ViTGAP: ("timm",)}.
    tables : dict
        {"timm": [table ...], ...}, with keys from `NAMES`. All are read, one of a name is written. Where numbers in
        their names depend on the depth, a table is a function of the names of all tensors, ours or theirs.
    shapes : callable
        shapes(reading, known) -> arguments of our constructor that the tensors tell; `reading` is a
        minivit.interop.table.Reading, `known` what config.json and the caller say. The argument "model" is the class,
        where `models` has several.
    written : callable
        written(model, names) -> which of the tables of these names it is written with; by default always the first.
    configs : dict
        {"timm": Timm(...), "transformers": Transformers(...)}, minivit.interop.config.
    sizes : callable
        sizes(model) -> lengths of the axes that layouts merge: {"P": 16, "H": 3}.
    head : str
        Our name of the linear map to the classes; "" if there is none.
    beside_classes : int
        How many of its outputs, the last ones, are no class of the data: 1 where it may say "no object".
    asked : dict
        {argument of our constructor that shapes do not tell: what to ask the caller for}, where config.json is missing.
        Settings stand in braces: "how many heads share its width {dim}".
    counts_batches : bool
        Whether theirs keeps beside the running statistics of a BatchNorm how many batches it has seen.
    without : dict
        {class of ours that has no counterpart: why}.
    derived : tuple of str
        Regular expressions for the last part of names of tensors that a model of ours computes.
    kept : callable
        kept(model, tensors) -> {their name: array} of what their code asks for in a file besides the weights, which
        `tensors` has under their names: some of these tables, or a weight once more, because several of their modules
        share it. `derived` has these names too.
    unstored : tuple of str
        Tensors of ours that no file of theirs holds: a model that is loaded keeps those that it begins with.
    """

    name: str
    models: dict
    tables: dict
    shapes: Callable
    written: Callable = first
    configs: dict = field(default_factory=dict)
    sizes: Callable = nothing
    head: str = "head"
    beside_classes: int = 0
    asked: dict = field(default_factory=dict)
    counts_batches: bool = True
    without: dict = field(default_factory=dict)
    derived: tuple = ()
    kept: Callable = nothing
    unstored: tuple = ()

    def table(self, model, names):
        """The table of these names that a model is written with."""
        return filled(self.tables[names][self.written(model, names)], [name for name, _ in model.named_parameters()])

    def config(self, names):
        """The description of the configurations that go with such names; None if there is none."""
        return self.configs.get(names.rstrip("4"))

    @property
    def computed(self):
        """The regular expressions for all tensors that are neither read nor missed."""
        return DERIVED + self.derived

    def build(self, settings):
        """A model of ours."""
        for name, what in self.asked.items():
            if settings.get(name) is None:
                raise ValueError(f"{name}: the shapes of a checkpoint do not tell {what.format(**settings)}, and "
                                 f"neither does a config.json; say it: load(..., {name}=...)")
        kind = settings.get("model", next(iter(self.models)))
        return kind(**{name: value for name, value in settings.items() if name != "model"})
