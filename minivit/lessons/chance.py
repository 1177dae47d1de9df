"""What a guess reaches: the line that every figure of a loss or an accuracy is read against."""

import math
from dataclasses import dataclass

from ..names import expect


@dataclass(frozen=True)
class Chance:
    """A guess among classes that are all as frequent.

    Parameters
    ----------
    classes : int
    """

    classes: int

    @property
    def loss(self):
        """The cross-entropy of equal probabilities, ln K."""
        return math.log(self.classes)

    @property
    def percent(self):
        """How many of a hundred answers are right."""
        return 100 / self.classes

    def __str__(self):
        return (f"a guess among {self.classes} classes: right for {self.percent:.3g} % of the pictures, "
                f"loss ln {self.classes} = {self.loss:.3f}")

    def line(self, axes, of="percent", *, vertical=False):
        """Draw it into matplotlib's axes, dashed and named: of the "percent" that are right, or of the "loss"."""
        from ..viz import level_line
        expect("of", of, ("percent", "loss"))
        label = f"chance, 1/{self.classes}" if of == "percent" else f"chance, ln {self.classes}"
        level_line(axes, getattr(self, of), label, vertical=vertical)


def chance(classes=10):
    """What a guess among so many classes reaches: `print(chance(10))`, `chance(10).line(axes, "loss")`.

    Raises
    ------
    ValueError
        If there are fewer than two classes.
    """
    if classes < 2:
        raise ValueError(f"chance: expected two classes or more, got {classes}")
    return Chance(classes)
