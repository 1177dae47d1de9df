"""Name tables: under which name, and in which layout, another code base keeps the same numbers.

A table is a list of rules, and works in both directions. In a name, `*` stands for a number, as of a block. A layout is
a pattern of einops from their axes to ours. Several tensors of theirs are joined along our last axis:

    Rule("blocks.*.attention.qkv.weight", ("layers.*.q.weight", "layers.*.k.weight", "layers.*.v.weight"), "o i -> i o")

or one of theirs is split along it into several of ours (`split`). What no pattern can say is a pair of functions
(`Rearrangement`). Tables that several architectures share are in blocks.py.
"""

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

import einops
import numpy as np

LINEAR = "o i -> i o"
CONV = "o i h w -> h w i o"
CONV_AS_LINEAR = "o i 1 1 -> i o"  # a convolution of 1 x 1 pixels there, a linear map here
LINEAR_AS_CONV = "o i -> 1 1 i o"
PATCHES = "D C P Q -> (P Q C) D"  # a convolution with kernel and stride P (Q = P), as PatchEmbed's linear map

# What checkpoints may hold beside weights: the number of batches seen, which no layer of ours uses, and tables that a
# model computes from its sizes.
DERIVED = (r"num_batches_tracked", r"relative_position_index", r"attn_mask")


class Rearrangement(NamedTuple):
    """A layout that is no pattern of einops: their array to ours, and back."""

    read: Callable
    write: Callable


class Rule(NamedTuple):
    """One line of a table: our names, theirs, and the layout from their axes to ours ("" if equal).

    One of the two is a single name. `parts` are the shares of our last axis where one of theirs is split into several
    of ours, `joined` those of theirs where they are unequal. An optional rule is for what some models of the
    architecture lack: a head, a class token.
    """

    ours: tuple
    theirs: tuple
    layout: str | Rearrangement = ""
    optional: bool = False
    parts: tuple = (1,)
    joined: tuple = ()


def tensor(ours, theirs, layout=""):
    """A tensor, or several of theirs joined to one."""
    return [Rule((ours,), (theirs,) if isinstance(theirs, str) else tuple(theirs), layout)]


def split(ours, theirs, parts, layout=""):
    """One tensor of theirs that is several of ours: split(["q.weight", "kv.weight"], "qkv.weight", (1, 2), LINEAR)."""
    return [Rule(tuple(ours), (theirs,), layout, parts=tuple(parts))]


def join(ours, theirs, parts, layout=""):
    """Several of theirs, as wide as `parts` says, that are one of ours: join("qkv", ["qk", "v"], (2, 1), LINEAR)."""
    return [Rule((ours,), tuple(theirs), layout, joined=tuple(parts))]


def linear(ours, theirs, layout=LINEAR):
    """The weight and bias of a linear map, or of several of theirs joined to one."""
    theirs = (theirs,) if isinstance(theirs, str) else theirs
    return tensor(f"{ours}.weight", [f"{name}.weight" for name in theirs], layout) + tensor(
        f"{ours}.bias", [f"{name}.bias" for name in theirs])


def conv(ours, theirs, layout=CONV):
    """The weight of a convolution without bias; with one, it is linear(ours, theirs, CONV)."""
    return tensor(f"{ours}.weight", f"{theirs}.weight", layout)


def norm(ours, theirs):
    """The weight and bias of a normalisation layer."""
    return linear(ours, theirs, layout="")


def batch_norm(ours, theirs):
    """The weight, bias and running statistics of a BatchNorm."""
    return norm(ours, theirs) + [rule for name in ("running_mean", "running_var")
                                 for rule in tensor(f"{ours}.{name}", f"{theirs}.{name}")]


def within(ours, theirs, table):
    """A table for a part of a model, with what stands in front of its names."""
    return [rule._replace(ours=tuple(ours + name for name in rule.ours),
                          theirs=tuple(theirs + name for name in rule.theirs)) for rule in table]


def filled(table, names):
    """The rules of a table, which may be a function of the names of all tensors, ours or theirs."""
    return table(names) if callable(table) else table


def optional(table):
    """The rules of a table, as optional ones."""
    return [rule._replace(optional=True) for rule in table]


class Reading:
    """What a table found in a checkpoint: what its sizes are read from.

    `state` has the tensors under our names and in our layout, `unknown` their names that the table does not have.
    A tensor that is asked for and not there is a KeyError with our name of it.
    """

    def __init__(self, state=None, axes=None):
        self.state, self.axes, self.unknown = state or {}, axes or {}, []

    def __contains__(self, name):
        return name in self.state

    def shape(self, name):
        """The shape of a tensor, under our name and in our layout."""
        return self.state[name].shape

    def axis(self, name, letter):
        """The length of an axis that the layout of a tensor names: axis("patch_embed.weight", "P")."""
        return self.axes[name][letter]

    def modules(self, name):
        """How many modules a list has: 1 + the largest number that follows its name."""
        found = [re.match(rf"{re.escape(name)}\.(\d+)\.", ours) for ours in self.state]
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def outputs(self, head="head"):
        """How many numbers a linear map returns; 0 if there is none of that name."""
        found = (self.state.get(f"{head}.{part}") for part in ("weight", "bias"))
        return next((array.shape[-1] for array in found if array is not None), 0)

    def part(self, prefix):
        """The same of a part of the model, whose names begin with `prefix`."""
        return Reading(*({name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
                         for found in (self.state, self.axes)))


def is_derived(name, patterns=DERIVED):
    """Whether a tensor of theirs is one that a model of ours computes, by the last part of its name."""
    return any(re.fullmatch(rf"(.*\.)?({pattern})", name) for pattern in patterns)


def read(table, tensors, sizes=None, derived=DERIVED):
    """Translate {their name: array} into a Reading, whose arrays are views where possible.

    Left out are tensors that lack a part to be joined with, and those whose layout takes an axis apart, "(H d) i -> i H
    d", if `sizes` {"H": 3} does not have the length of a part.

    Raises
    ------
    ValueError
        If a tensor has another number of axes than its layout.
    """
    reading, joined = Reading(), {}
    for name, array in tensors.items():
        rule, position, numbers = _find_theirs(table, name)
        if rule:
            array, axes = _lay_out(name, array, rule.layout, sizes or {})
            if array is not None:
                joined.setdefault((rule, numbers), {})[position] = array
                reading.axes.update((_fill(ours, numbers), axes) for ours in rule.ours)
        elif not is_derived(name, derived):
            reading.unknown.append(name)
    for (rule, numbers), found in joined.items():
        if len(found) == len(rule.theirs):
            pieces = [found[position] for position in range(len(found))]
            whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)
            for ours, piece in zip(rule.ours, _split(whole, rule.parts), strict=True):
                reading.state[_fill(ours, numbers)] = piece
    return reading


def write(table, arrays, sizes):
    """{our name: array} as {their name: array}, views where possible.

    `sizes` has the lengths of axes that a layout merges: {"P": 16 ...}.

    Raises
    ------
    ValueError
        If the table has no such name, or a tensor of theirs would lack a part.
    """
    written, waiting = {}, {}
    for name, array in arrays.items():
        rule, position, numbers = _find_ours(table, name)
        if rule is None:
            raise ValueError(f"{name} has no counterpart there")
        parts = waiting.setdefault((rule, numbers), {})
        parts[position] = array
        if len(parts) < len(rule.ours):
            continue
        pieces = [parts[position] for position in range(len(parts))]
        whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)
        shares = rule.joined or (1,) * len(rule.theirs)
        for theirs, piece in zip(rule.theirs, _split(whole, shares), strict=True):
            written[_fill(theirs, numbers)] = _lay_back(piece, rule.layout, sizes)
        del waiting[rule, numbers]
    if waiting:
        lacking = [_fill(rule.theirs[0], numbers) for rule, numbers in waiting]
        raise ValueError(f"{', '.join(lacking)}: not all of what it is made of is there")
    return written


def misfits(table, tensors, derived=DERIVED):
    """How badly a table explains a checkpoint {name: array}: (what it does not have, rules that find nothing).

    What it has with another number of axes, it does not have.
    """
    found = {name: _find_theirs(table, name)[0] for name in tensors if not is_derived(name, derived)}
    fit = [rule if rule and _axes(rule.layout) in (None, tensors[name].ndim) else None for name, rule in found.items()]
    return fit.count(None), sum(not rule.optional for rule in set(table) - set(found.values()))


def their_name(table, ours):
    """What a table calls one of our tensors; our own name where it has none."""
    rule, _, numbers = _find_ours(table, ours)
    return ", ".join(_fill(theirs, numbers) for theirs in rule.theirs) if rule else ours


def _find_theirs(table, name):
    """(rule, position among its tensors, the numbers of the `*`) for their name; Nones if there is no rule."""
    return _find(table, name, "theirs")


def _find_ours(table, name):
    return _find(table, name, "ours")


def _find(table, name, side):
    for rule in table:
        for position, known in enumerate(getattr(rule, side)):
            match = _pattern(known).fullmatch(name)
            if match:
                return rule, position, match.groups()
    return None, None, None


def _lay_out(name, array, layout, sizes):
    """(the array in our layout or None, the lengths of the axes that the layout names)"""
    if isinstance(layout, Rearrangement):
        return layout.read(array), {}
    if not layout:
        return array, {}
    axes = _their_axes(layout)
    if array.ndim != len(axes):
        raise ValueError(f"{name}: expected axes ({', '.join(axes)}), got shape {array.shape}")
    lengths = {axis: length for axis, length in zip(axes, array.shape, strict=True) if axis.isalpha()}
    parts = [part for axis in axes if axis[0] == "(" for part in axis[1:-1].split()]
    known = {part: sizes[part] for part in parts if part in sizes}
    if any(len(set(axis[1:-1].split()) - set(known)) > 1 for axis in axes if axis[0] == "("):
        return None, lengths
    return einops.rearrange(array, layout, **known), lengths


def _their_axes(layout):
    """The axes that a layout begins with, those that it takes apart in parentheses."""
    return re.findall(r"\([^)]*\)|\S+", layout.partition(" -> ")[0])


def _axes(layout):
    """How many axes theirs has; None if the layout does not say."""
    return len(_their_axes(layout)) if layout and not isinstance(layout, Rearrangement) else None


def _lay_back(array, layout, sizes):
    if isinstance(layout, Rearrangement):
        return layout.write(array)
    if not layout:
        return array
    theirs, _, ours = layout.partition(" -> ")
    return einops.rearrange(array, f"{ours} -> {theirs}",
                            **{axis: length for axis, length in sizes.items() if axis in re.findall(r"\w+", theirs)})


def _split(array, parts):
    """Along the last axis, in pieces whose lengths are as `parts`."""
    if len(parts) == 1:
        return [array]
    edges = np.cumsum(parts)[:-1] * array.shape[-1] // sum(parts)
    return np.split(array, edges, axis=-1)


@functools.cache
def _pattern(name):
    return re.compile(re.escape(name).replace(r"\*", r"(\d+)"))


def _fill(name, numbers):
    """Put numbers in the place of the `*`."""
    for number in numbers:
        name = name.replace("*", number, 1)
    return name
