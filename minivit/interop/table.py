"""Name tables: under which name, and in which layout, another code base keeps the same numbers.

A table is a list of rules, and works in both directions. In a name, `*` stands for a number, as of a block. A layout is
a pattern of einops from their axes to ours. Several tensors of theirs are joined along our last axis:

    Rule("blocks.*.attention.qkv.weight", ("layers.*.q.weight", "layers.*.k.weight", "layers.*.v.weight"), "o i -> i o")
"""

import functools
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import einops
import numpy as np

LINEAR = "o i -> i o"
CONV = "o i h w -> h w i o"
PATCHES = "D C P Q -> (P Q C) D"  # a convolution with kernel and stride P (Q = P), as PatchEmbed's linear map

# What checkpoints may hold beside weights: the number of batches seen, which no layer of ours uses, and tables that a
# Swin Transformer computes from its window size.
DERIVED = re.compile(r".*\.(num_batches_tracked|relative_position_index|attn_mask)")


class Rule(NamedTuple):
    """One line of a table: our name, theirs (one or several), and the layout from their axes to ours ("" if equal).

    An optional rule is for what some models of the architecture lack: a head, a class token.
    """

    ours: str
    theirs: tuple
    layout: str = ""
    optional: bool = False


def tensor(ours, theirs, layout=""):
    """A tensor, or several joined to one."""
    return [Rule(ours, (theirs,) if isinstance(theirs, str) else tuple(theirs), layout)]


def linear(ours, theirs, layout=LINEAR):
    """The weight and bias of a linear map, or of several joined to one."""
    theirs = (theirs,) if isinstance(theirs, str) else theirs
    return tensor(f"{ours}.weight", [f"{name}.weight" for name in theirs], layout) + tensor(
        f"{ours}.bias", [f"{name}.bias" for name in theirs])


def norm(ours, theirs):
    """The weight and bias of a normalisation layer."""
    return linear(ours, theirs, layout="")


def batch_norm(ours, theirs):
    """The weight, bias and running statistics of a BatchNorm."""
    return norm(ours, theirs) + [rule for name in ("running_mean", "running_var")
                                 for rule in tensor(f"{ours}.{name}", f"{theirs}.{name}")]


def within(ours, theirs, table):
    """A table for a part of a model, with what stands in front of its names."""
    return [rule._replace(ours=ours + rule.ours, theirs=tuple(theirs + name for name in rule.theirs))
            for rule in table]


def optional(table):
    """The rules of a table, as optional ones."""
    return [rule._replace(optional=True) for rule in table]


@dataclass
class Reading:
    """What a table found in a checkpoint.

    `state` has the tensors under our names and in our layout, `axes` the lengths of the axes that layouts name,
    `unknown` their names that the table does not have.
    """

    state: dict = field(default_factory=dict)
    axes: dict = field(default_factory=dict)
    unknown: list = field(default_factory=list)


def read(table, tensors):
    """Translate {their name: array} into a Reading; tensors that lack a part to be joined with are left out.

    Raises
    ------
    ValueError
        If a tensor has another number of axes than its layout.
    """
    reading, parts = Reading(), {}
    for name, array in tensors.items():
        rule, position, ours = _find_theirs(table, name)
        if rule:
            parts.setdefault((ours, rule), {})[position] = _lay_out(name, array, rule.layout, reading.axes)
        elif not DERIVED.fullmatch(name):
            reading.unknown.append(name)
    for (ours, rule), found in parts.items():
        if len(found) == len(rule.theirs):
            pieces = [found[position] for position in range(len(found))]
            reading.state[ours] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)
    return reading


def write(table, name, array, sizes):
    """One of our tensors as {their name: array}, views where possible.

    `sizes` has the lengths of axes that a layout merges: {"P": 16 ...}.

    Raises
    ------
    ValueError
        If the table has no such name.
    """
    for rule in table:
        match = _pattern(rule.ours).fullmatch(name)
        if match:
            theirs, _, ours = rule.layout.partition(" -> ")
            known = {axis: length for axis, length in sizes.items() if axis in re.findall(r"\w+", theirs)}
            pieces = np.split(array, len(rule.theirs), axis=-1)
            if rule.layout:
                pieces = [einops.rearrange(piece, f"{ours} -> {theirs}", **known) for piece in pieces]
            return {_fill(their, match.groups()): piece for their, piece in zip(rule.theirs, pieces, strict=True)}
    raise ValueError(f"{name} has no counterpart there")


def misfits(table, names):
    """How badly a table explains a checkpoint's names: (names that it does not have, rules that find no name)."""
    found = [_find_theirs(table, name)[0] for name in names if not DERIVED.fullmatch(name)]
    return found.count(None), sum(not rule.optional for rule in set(table) - set(found))


def _find_theirs(table, name):
    """(rule, position among its tensors, our name) for their name; Nones if there is no rule."""
    for rule in table:
        for position, theirs in enumerate(rule.theirs):
            match = _pattern(theirs).fullmatch(name)
            if match:
                return rule, position, _fill(rule.ours, match.groups())
    return None, None, None


def _lay_out(name, array, layout, axes):
    theirs = layout.partition(" -> ")[0]
    if not layout:
        return array
    if array.ndim != len(theirs.split()):
        raise ValueError(f"{name}: expected axes ({theirs.replace(' ', ', ')}), got shape {array.shape}")
    axes.update(einops.parse_shape(array, theirs))
    return np.ascontiguousarray(einops.rearrange(array, layout))


@functools.cache
def _pattern(name):
    return re.compile(re.escape(name).replace(r"\*", r"(\d+)"))


def _fill(name, numbers):
    """Put numbers in the place of the `*`."""
    for number in numbers:
        name = name.replace("*", number, 1)
    return name
