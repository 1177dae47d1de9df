"""Threads, and the processes that they are in, which share one batch; and what they compute together.

Each member of a team works on its own share of the pictures. What belongs to the batch as a whole, such as the
statistics of batch normalisation, is summed over the members.
"""

import contextlib
import contextvars
import threading
from collections.abc import Iterator

from .processes import ALONE, Alone
from .types import Array

_team: contextvars.ContextVar = contextvars.ContextVar("team", default=None)


class Team:
    """The threads that work on the shares of one batch, and the sum of an array over all of them.

    Every member must ask for the same sums in the same order, as it does when all run the same model. The sums are
    added in the order of the ranks, so that the same number of members gives the same bits.

    Parameters
    ----------
    threads : int
        Of this process; the others have as many.
    processes : Alone
        The processes whose threads are members too.
    """

    def __init__(self, threads: int, processes: Alone = ALONE) -> None:
        self.processes, self.threads, self.size = processes, threads, threads * processes.size
        self.barrier, self.parts, self.everyone = threading.Barrier(threads), [None] * threads, []

    def rank(self, thread: int) -> int:
        """The place of a thread of this process among all members."""
        return self.processes.rank * self.threads + thread

    @contextlib.contextmanager
    def member(self, thread: int) -> Iterator[None]:
        """Inside the `with` block, `all_sum` of this thread adds over the team; an error here releases the others."""
        token = _team.set((self, thread))
        try:
            yield
        except BaseException:
            self.barrier.abort()
            raise
        finally:
            _team.reset(token)


def all_parts(array: Array) -> tuple[list[Array], int]:
    """The arrays of all members in the order of their ranks, and which of them is one's own: (list, int)."""
    team, thread = _team.get() or (None, 0)
    if team is None or team.size == 1:
        return [array], 0
    team.parts[thread] = array
    team.barrier.wait()
    if thread == 0:
        team.everyone = team.processes.all_gather(list(team.parts))
    team.barrier.wait()  # nobody puts a new part down before all have been taken
    return team.everyone, team.rank(thread)


def all_sum(array: Array) -> Array:
    """The sum of the team members' arrays; outside a team, the array itself."""
    parts, _ = all_parts(array)
    return sum(parts[1:], start=parts[0])


def first_of_team() -> bool:
    """Whether this thread is the first of its process, or works alone: every process has buffers of its own."""
    return (_team.get() or (None, 0))[1] == 0
