"""A batch on several CPU threads: each computes the loss and the gradients of its share, then they are added up.

Where several processes train together (minivit.processes), each of their threads has a share.

Every operation becomes parallel without being written in parallel, since NumPy lets go of Python's lock inside its
loops and matrix products. So each thread runs with one BLAS thread: more would only get in each other's way.
"""

import contextlib
import contextvars
import operator
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Self

import numpy as np

from ..backend import array_module, device_of, random_generator
from ..blas import blas_threads
from ..engine import grad
from ..memory import keep_freed_memory
from ..nn import randomness
from ..nn.parameter import Parameter
from ..processes import ALONE, Alone
from ..team import Team
from ..types import Array


class Threads:
    """Threads that are kept for a whole run, and the BLAS library limited to one thread while they are.

    with Threads(2) as threads:
        loss, numbers = threads.gradients(task.loss, task.parameters(), images, labels, seed=(0, step))
    """

    def __init__(self, count: int, processes: Alone = ALONE) -> None:
        if operator.index(count) < 1:
            raise ValueError(f"threads: expected at least 1, got {count}")
        self.count, self.processes = operator.index(count), processes

    def __enter__(self) -> Self:
        keep_freed_memory()
        with contextlib.ExitStack() as stack:
            stack.enter_context(blas_threads(1))
            self.pool = stack.enter_context(ThreadPoolExecutor(self.count, "minivit"))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.close()

    def map(self, function: Callable, items: Iterable) -> list:
        """[function(item) for item in items]; thread t of T takes the items t, t + T, t + 2T ...

        The threads see the caller's context variables. An error in one of them is raised here as it is.
        """
        items = list(items)
        results = [None] * len(items)

        def work(rank):
            for index in range(rank, len(items), self.count):
                results[index] = function(items[index])

        futures = [self.pool.submit(contextvars.copy_context().run, work, rank)
                   for rank in range(min(self.count, len(items)))]
        wait(futures)
        errors = [future.exception() for future in futures if future.exception()]
        if errors:  # a broken barrier only says that another thread had an error first
            raise next((e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0])
        return results

    def map_on_all(self, function: Callable, items: Iterable) -> list:
        """The same on the threads of all processes; each process gets all results."""
        items, (rank, size) = list(items), (self.processes.rank, self.processes.size)
        everyone = self.processes.objects(self.map(function, items[rank::size]))
        return [everyone[index % size][index // size] for index in range(len(items))]

    def gradients(self, objective: Callable, parameters: list[Parameter], *batch: Array,
                  seed: tuple[int, ...]) -> tuple[float, dict[str, float]]:
        """The gradient of the mean loss over a batch, in `.grad` of every parameter.

        Parameters
        ----------
        objective : callable
            objective(*share of the batch) -> (mean loss over the share, {name: another mean over it}).
        parameters : list of Parameter
        *batch : array_like (B, ...)
            Cut along the first axis into one contiguous share for each thread of each process.
        seed : tuple of int
            Share number r draws its dropout from the generator of (*seed, r).

        Returns
        -------
        loss : float
            The mean loss over the batch.
        numbers : dict
            The other means over the batch, {name: float}.
        """
        size = len(batch[0])
        if size == 0 or any(len(array) != size for array in batch):
            raise ValueError("batch: expected arrays of one length, 1 or more, got lengths "
                             f"{', '.join(str(len(array)) for array in batch)}")
        if size < self.processes.size:
            raise ValueError(f"batch: expected a picture for each of {self.processes.size} processes, got {size}")
        team = Team(min(self.count, size // self.processes.size), self.processes)

        def share(thread):
            rank = team.rank(thread)
            start, stop = size * rank // team.size, size * (rank + 1) // team.size
            with team.member(thread), randomness(random_generator((*seed, rank), device_of(batch[0]))):
                loss, numbers = objective(*(array[start:stop] for array in batch))
                weight = (stop - start) / size
                # Weighted before the backward pass: batch statistics mix the gradients of the shares on the way.
                loss = loss * weight
                numbers = {name: weight * float(number) for name, number in numbers.items()}
                return loss.item(), grad(loss, parameters), numbers

        losses, gradients, numbers = zip(*self.map(share, range(team.threads)), strict=True)
        for parameter, total, *others in zip(parameters, *gradients, strict=True):
            for other in others:  # in the order of the ranks: the same count gives the same bits
                total += other
            parameter.grad = total
        own = [sum(losses), *(sum(each[name] for each in numbers) for name in numbers[0])]
        if self.processes.size > 1:
            self._sum_gradients(parameters)
            own = np.add.reduce(self.processes.all_gather([np.array(own)])).tolist()  # in the order of the ranks
        return own[0], dict(zip(numbers[0], own[1:], strict=True))

    def _sum_gradients(self, parameters):
        """One message for all: each would cost its latency."""
        flat = array_module(parameters[0].grad).concatenate([parameter.grad.ravel() for parameter in parameters])
        ends = np.cumsum([parameter.size for parameter in parameters])
        total = self.processes.all_sum(flat)
        for parameter, end in zip(parameters, ends.tolist(), strict=True):
            parameter.grad = total[end - parameter.size:end].reshape(parameter.shape)
