"""config.json: what the shapes of a checkpoint do not tell, described once for reading and writing.

A description is a list of keys. Each key that a config.json may hold is

- understood: `Key` says what it is for a model of ours, and which argument of our constructor it decides;
- required to be what we have: `fixed` says which value that is;
- known to change nothing: its name is in `ignored`;
- or else refused by name.

What is read is compared with what would be written for the model that was built: the two cannot drift apart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from ..names import expect
from ..ops import gelu, gelu_tanh, hardswish, quick_gelu, relu, silu
from . import ignored as no_change

ABSENT = object()

ACTIVATIONS = {  # by the name that is written first
    "timm": {"gelu": gelu, "gelu_tanh": gelu_tanh, "quick_gelu": quick_gelu, "relu": relu, "silu": silu, "swish": silu,
             "hard_swish": hardswish},
    "transformers": {"gelu": gelu, "gelu_pytorch_tanh": gelu_tanh, "gelu_new": gelu_tanh, "quick_gelu": quick_gelu,
                     "relu": relu, "silu": silu, "swish": silu},
}

def unchanged(value):
    """Their value as it is; lists become tuples."""
    return tuple(value) if isinstance(value, list) else value


def pair(size):
    """(height, width) of one number or two."""
    return (size, size) if isinstance(size, int) else tuple(size)


def number_or_list(size):
    """(height, width) as transformers writes it."""
    return size[0] if size[0] == size[1] else list(size)


@dataclass(frozen=True)
class Key:
    """One key of a config.json, in both directions.

    Parameters
    ----------
    name : str
        Theirs.
    of : callable
        What it is for a model of ours: of(model) -> their value. Raises a ValueError for what they cannot have.
    setting : str
        The argument of our constructor that it decides; "" if the shapes of the tensors decide it, which it is then
        compared with.
    read : callable
        From their value to ours. Two of their values are equal if they are read alike.
    default : object
        What their code takes where config.json is silent. It is compared as if it stood there.
    fits : callable
        fits(their value, model) -> bool, where more than one value means the same.
    written : bool
        Whether it is written.
    """

    name: str
    of: Callable
    setting: str = ""
    read: Callable = unchanged
    default: object = ABSENT
    fits: Callable | None = None
    written: bool = True
    constant: object = ABSENT

    def agrees(self, value, model):
        """Whether their value is that of a model of ours."""
        return self.fits(value, model) if self.fits else self.read(value) == self.read(self.of(model))


def fixed(name, value):
    """A key that must have one value, the only one that we have; it is that where config.json is silent."""
    return Key(name, lambda model: value, written=False, constant=value)


def activation(name, library, of, *, setting="activation", default="gelu"):
    """The key that names an activation; of(model) -> our function."""
    known = ACTIVATIONS[library]

    def read(value):
        expect(f"{name}: activation", value, known)
        return known[value]

    def write(model):
        for theirs, ours in known.items():
            if ours is of(model):
                return theirs
        raise ValueError(f"activation: {of(model).__name__} has no counterpart in {library}")
    return Key(name, write, setting, read, default)


def mlp_ratio(dim, hidden, name="mlp_ratio"):
    """The key that has the width of an MLP as a multiple of the tokens'; dim(model) and hidden(model) are widths."""
    return Key(name, lambda model: hidden(model) / dim(model),
               fits=lambda ratio, model: int(dim(model) * ratio) == hidden(model))


@dataclass(frozen=True)
class Always:
    """An argument of our constructor that their code has no key for: it always has one value.

    A model of ours for which of(model) is another is not written. Without `of` it may be: the difference does not show
    for pictures of the model's own size.
    """

    setting: str
    value: object
    of: Callable | None = None


@dataclass(frozen=True)
class Config:
    """What a library's configuration says of one architecture.

    Parameters
    ----------
    keys : tuple of Key
    ignored : tuple of str
        Keys that change nothing, beside those that do so in every architecture.
    always : tuple of Always
    """

    keys: tuple = ()
    ignored: tuple = ()
    always: tuple = ()

    ignored_everywhere: ClassVar[tuple[str, ...]] = ()

    def values(self, content):
        """{their key: value} of what decides about the model, from the content of config.json."""
        return {}

    def hints(self, content):
        """Values that stand elsewhere in config.json, and count where the key itself is absent."""
        return {}

    def settings(self, content):
        """The arguments of our constructor that config.json decides."""
        settings, values = {each.setting: each.value for each in self.always}, self.hints(content)
        values |= {name: value for name, value in self.values(content).items() if value is not None}
        for key in self.keys:
            value = values.get(key.name, key.default)
            if key.setting and value is not ABSENT:
                settings[key.setting] = key.read(value)
        return settings

    def deciding(self, content):
        """{their key: value} of those that stand there and decide an argument of our constructor."""
        values = self.values(content)
        return {key.name: values[key.name] for key in self.keys if key.setting and key.name in values}

    def refuse_unknown(self, content, title, source="config.json"):
        """Raise a ValueError that names every key which is not described, or never has this value here."""
        known, problems = {key.name: key for key in self.keys}, []
        for name, value in self.values(content).items():
            if name not in known and name not in self.ignored + self.ignored_everywhere:
                problems.append(f"a {title} with {name} = {value!r} has no counterpart in minivit, which does not know "
                                "this setting")
            elif name in known and known[name].constant is not ABSENT and unchanged(value) != known[name].constant:
                problems.append(f"a {title} with {name} = {value!r} has no counterpart in minivit; expected "
                                f"{known[name].constant!r}")
        _raise(problems, source)

    def refuse_others(self, content, model, title, source="config.json", but=()):
        """Raise a ValueError that names every key which is of another model than the one that was built.

        Keys that decide the settings `but` are not compared: the caller has set them.
        """
        values, problems = self.values(content), []
        for key in self.keys:
            if key.setting in but:
                continue
            value = values.get(key.name, key.default)
            try:
                if value is not ABSENT and not key.agrees(value, model):
                    problems.append(f"a {title} with {key.name} = {value!r} is not what its tensors are of, or has no "
                                    f"counterpart in minivit; expected {key.of(model)!r}")
            except ValueError as error:
                problems.append(f"{key.name} = {value!r}: {error}")
        _raise(problems, source)

    def file(self, model):
        """What config.json says for a model of ours: nothing, where nobody reads one."""
        self.content(model)
        return {}

    def content(self, model):
        """{their key: value} for a model of ours.

        Raises
        ------
        ValueError
            If their code cannot make the same model.
        """
        for each in self.always:
            if each.of and each.of(model) != each.value:
                ours, theirs = (getattr(value, "__name__", value) for value in (each.of(model), each.value))
                raise ValueError(f"{each.setting}: {ours} has no counterpart there, where it is always {theirs}")
        return {key.name: key.of(model) for key in self.keys if key.written}


@dataclass(frozen=True)
class Timm(Config):
    """What timm's config.json says: the name of an architecture, and model_args that change it.

    Parameters
    ----------
    architectures : dict
        {regular expression for names of timm's architectures: what their factories set}. Others are refused: they have
        parts without weights (blur pooling, other activations) that no tensor shows.
    written : str or callable
        The architecture that is written, or written(model) -> the architecture.
    """

    ignored_everywhere = no_change.TIMM
    architectures: dict = field(default_factory=dict)
    written: str | Callable = ""

    def describes(self, content):
        """Whether a configuration is of this architecture."""
        return self._factory(content) is not None

    def values(self, content):
        """model_args over what the factory sets; null means nothing there."""
        args = {name: value for name, value in (content.get("model_args") or {}).items() if value is not None}
        pooling = {"global_pool": content["global_pool"]} if content.get("global_pool") is not None else {}
        return (self._factory(content) or {}) | pooling | args

    def hints(self, content):
        """The pictures that the weights were trained on."""
        size = _pretrained(content).get("input_size")
        return {"img_size": list(size[1:])} if size else {}

    def refuse_unknown(self, content, title, source="config.json"):
        """As for any configuration, and what lies beside model_args."""
        problems = [f"{name} = {value!r} is no setting of timm's that minivit knows"
                    for part in (content, _pretrained(content)) for name, value in part.items()
                    if name not in no_change.TIMM_BESIDE]
        _raise(problems, source)
        super().refuse_unknown(content, title, source)

    def file(self, model):
        """What config.json says for a model of ours."""
        args = self.content(model)
        architecture = self.written(model) if callable(self.written) else self.written
        set_there = self._factory({"architecture": architecture}) or {}
        pooling = args.get("global_pool", next((key.constant for key in self.keys if key.name == "global_pool"), None))
        args = {name: value for name, value in args.items() if set_there.get(name, ABSENT) != value}  # not given twice
        return {"architecture": architecture, **({"global_pool": pooling} if pooling else {}), "model_args": args}

    def _factory(self, content):
        name = content.get("architecture", "").partition(".")[0]
        return next((args for pattern, args in self.architectures.items() if re.fullmatch(pattern, name)), None)


@dataclass(frozen=True)
class Transformers(Config):
    """What the config.json of transformers says.

    Parameters
    ----------
    model_type : str
        The name of the architecture.
    architecture : str or callable
        The class that config.json names for a model of ours, or architecture(model) -> the class.
    """

    model_type: str = ""
    architecture: str | Callable = ""

    def describes(self, content):
        """Whether a configuration is of this architecture."""
        return content.get("model_type") == self.model_type

    def values(self, content):
        """All that is not known to change nothing."""
        return {name: value for name, value in content.items()
                if name not in no_change.TRANSFORMERS and (name, value) != ("pruned_heads", {})}

    def file(self, model):
        """What config.json says for a model of ours."""
        architecture = self.architecture(model) if callable(self.architecture) else self.architecture
        return {"model_type": self.model_type, "architectures": [architecture], **self.content(model)}


def library_of(content):
    """Which library wrote a config.json: "timm", "transformers", or "" if it does not say."""
    return "timm" if content.get("architecture") else "transformers" if content.get("model_type") else ""


def title_of(content):
    """What a config.json says that its model is."""
    if library_of(content) == "timm":
        return f"timm's architecture {content['architecture'].partition('.')[0]!r}"
    return f"transformers' model_type {content.get('model_type')!r}"




def _pretrained(content):
    return content.get("pretrained_cfg") or {}


def _raise(problems, source):
    if problems:
        raise ValueError("\n".join(f"{source}: {problem}" for problem in problems))
