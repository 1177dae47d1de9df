"""What is drawn: boxes and what flows between them; and which of them a lesson is about."""

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .trace import Call, Operation


@dataclass(eq=False)
class Link:
    """What flows into a box: from which, from which of its ways out, in which shape; or out of a scope.

    What is repeated may hand something to its next turn alone (`to_next`).
    """

    source: "Box"
    way_out: int
    shape: tuple
    to_next: bool = False


@dataclass(eq=False)
class Box:
    """A module, an operation, or a place where something flows into a frame.

    Attributes
    ----------
    kind : str
        "module", "operation" (round), "symbol" (a small circle) or "port".
    title, detail : str
        The two lines of the text.
    links : list of Link
    count : int
        How often it stands in a row.
    inside : Scope, optional
        What is drawn inside.
    learned, highlighted : bool
    section : str
        The name of what it was dissolved from.
    signature : tuple
        Equal for boxes that can be drawn once.
    """

    kind: str
    title: str = ""
    detail: str = ""
    links: list[Link] = field(default_factory=list)
    count: int = 1
    inside: "Scope | None" = None
    learned: bool = False
    highlighted: bool = False
    section: str = ""
    signature: tuple = ()


@dataclass(eq=False)
class Scope:
    """What is drawn together: ports, boxes in their order, and the ways out, as links without an end."""

    ports: list[Box]
    boxes: list[Box] = field(default_factory=list)
    outputs: list[Link] = field(default_factory=list)
    ways_out: dict[int, int] = field(default_factory=dict)  # from the id of a value

    @property
    def design(self) -> tuple:
        """Equal for scopes with the same parts, whatever the sizes of these."""
        return tuple((box.title, box.detail.partition("(")[0], box.highlighted, box.inside and box.inside.design)
                     for box in self.boxes)

    def every_box(self) -> Iterator[Box]:
        """All boxes, also those inside others."""
        for box in self.boxes:
            yield box
            if box.inside:
                yield from box.inside.every_box()


class Highlight:
    """Which modules and operations a lesson is about, and which of these have been found.

    Parameters
    ----------
    wanted : iterable of str or class
        Names of modules ("attention", "blocks", "blocks.0.attention", "blocks.*.mlp"), of classes, or of operations
        ("roll").
    """

    def __init__(self, wanted) -> None:
        self.missing, self.wanted, self.names = list(wanted), list(wanted), set()

    def includes(self, step: Call | Operation) -> bool:
        """Whether a call or an operation is one of them."""
        classes: tuple[type, ...]
        names, classes = [step.name], ()
        if isinstance(step, Call):
            classes = type(step.module).__mro__[:-2]  # without Module and object
            names += [without_number(step.name).rpartition(".")[2], *(c.__name__ for c in classes)]
        self.names.update(name for name in names if name and "." not in name)
        found = [what for what in self.wanted if what in classes
                 or isinstance(what, str) and any(fnmatch.fnmatchcase(name, what) for name in names)]
        self.missing = [what for what in self.missing if what not in found]
        return bool(found)

    def includes_any(self, call: Call) -> bool:
        """Whether a call or anything inside it is one of them; looks at everything."""
        hits = [self.includes(call)]
        hits += [self.includes_any(step) if isinstance(step, Call) else self.includes(step) for step in call.steps]
        return any(hits)


def distinct(links: list[Link]) -> list[Link]:
    """Of several links that begin at the same place the first."""
    found: dict[tuple[int, int], Link] = {}
    for link in links:
        found.setdefault((id(link.source), link.way_out), link)
    return list(found.values())


def without_number(name: str) -> str:
    """"blocks" of "blocks.3"."""
    front, _, last = name.rpartition(".")
    return front if last.isdigit() else name


def with_any_number(name: str) -> str:
    """"blocks.*.mlp" of "blocks.3.mlp"."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)
