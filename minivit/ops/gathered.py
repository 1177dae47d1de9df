"""What compares the pictures of a whole batch with each other, though every thread works on its own share."""

from ..backend import array_module
from ..engine import primitive
from ..team import all_parts, all_sum


@primitive
def gathered(x):
    """The rows of all members of the team, in the order of their ranks.    (b, ...) -> (B, ...)

    Outside a team these are the rows of `x`. A row is compared with in the losses of all members, and so its gradient
    is the sum of theirs.
    """
    parts, rank = all_parts(x)
    start = sum(len(part) for part in parts[:rank])

    def backward(dy):
        return all_sum(dy)[start:start + len(x)]
    return array_module(x).concatenate(parts), backward
