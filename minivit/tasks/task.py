"""A task: what is learned, and from what.

A task is a Module. Its parameters learn; its buffers follow: a teacher, a queue, a centre. Both are saved with a run,
moved to a GPU and undone after a trial as a model's are, so that a run that was killed goes on to the same bits. The
loop of `minivit.train` asks a task for its batches, its loss and its test, and knows no more about it:

    class Rotations(Task):                                # which way up is a picture?
        shown = "accuracy"

        def __init__(self, model):
            self.model = model

        @classmethod
        def build(cls, make_model, classes, **settings):
            return cls(make_model(num_classes=4), **settings)

        @property
        def backbone(self):
            return self.model

        def batch(self, samples, chosen, rng):
            images, turns = samples.view(chosen, rng), rng.integers(4, size=len(chosen))
            return np.stack([np.rot90(image, turn) for image, turn in zip(images, turns)]), turns

        def loss(self, images, turns):
            logits = self.model(Tensor.without_copy(images))
            return cross_entropy(logits, turns), {"accuracy": (logits.data.argmax(-1) == turns).mean()}

    TASK = Rotations

A batch is shared by threads and processes. Three rules make the result the same for any number of them:

1. A loss is a mean over the pictures of the share. Any other denominator (the boxes in the batch, say) is summed over
   all shares by `minivit.team.all_sum`.
2. A buffer is written by one thread of each process, and in training only: `if self.training and first_of_team()`.
3. What compares pictures of the batch with each other takes the others' by `minivit.ops.gathered`.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from ..backend import to_device
from ..data.samples import Samples
from ..nn import Buffer, Module
from ..tensor import Tensor
from ..types import Array, Over


class Task(Module):
    """The base of all tasks: write `__init__`, `batch` and `loss`; the rest has defaults.

    Attributes
    ----------
    shown : str
        Which number the progress bar shows beside the loss.
    capturable : bool
        Whether a step may become a CUDA graph; not where the host has to look at numbers on the way.
    defaults : dict
        What a recipe of this task has where nothing is said: {"batch_size": 128}.
    runs : tuple of str
        Which of the settings name the folder of a run in a recipe: the run's model stands in for it.
    """

    shown = "loss"
    capturable = True
    defaults = {}
    runs: tuple[str, ...] = ()

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], **settings: Any) -> Self:
        """The task of a run.

        Parameters
        ----------
        make_model : callable
            make_model(**changes) gives a new model of the architecture that the recipe names, for the run's pictures.
            With num_classes=0 it gives a vector (B, D) for each picture; D is model.features(images)[-1].shape[-1].
        classes : tuple of str
            What the labels of the data mean; empty where there are none.
        **settings
            The recipe's `task_settings`.
        """
        return cls(make_model(num_classes=0), **settings)  # type: ignore[call-arg]  # of the class that derives

    @property
    def backbone(self) -> Module:
        """The model that `init` fills, and whose weights are worth taking over: of student and teacher, the teacher."""
        raise NotImplementedError(f"{type(self).__name__}: says nothing about what others can take over (backbone)")

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """The arrays of a batch, each (B, ...), from which every thread gets its share.

        Runs one step ahead of the training, on a thread of its own: it depends on nothing that changes.

        Parameters
        ----------
        samples : minivit.data.Samples
        chosen : int (B,)
            The places of the pictures in the data set.
        rng : numpy.random.Generator
        """
        return (samples.view(chosen, rng),)

    def loss(self, *share: Array) -> tuple[Tensor, dict[str, Any]]:
        """The mean loss over a share of a batch, Tensor (), and other means to report, {name: number or array ()}."""
        raise NotImplementedError(f"{type(self).__name__}: has no loss")

    def after_step(self, done: int, steps: int) -> None:
        """Called once after each step of the optimiser: `done` of `steps` are done. A teacher follows its student."""

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """What is measured on pictures that were not learned from, as {name: number}; by default the mean loss.

        Parameters
        ----------
        samples : minivit.data.Samples
            Without augmentation.
        over : callable
            over(f) -> [f(chosen), ...] goes through all pictures in batches, on all threads, without a graph and in
            evaluation mode.
        """
        def measure(chosen):
            batch = self.batch(samples, chosen, np.random.default_rng(int(chosen[0])))
            loss, numbers = self.loss(*(to_device(array, samples.device) for array in batch))
            return len(chosen), {"loss": loss.item()} | {name: float(number) for name, number in numbers.items()}
        counts, measured = zip(*over(measure), strict=True)
        return {name: float(np.average([numbers[name] for numbers in measured], weights=counts))
                for name in measured[0]}

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray]:
        """What is worth looking at, made of some pictures: {title: uint8 (n, H, W, 3)}; by default nothing."""
        return {}


def slow_copy(module: Module) -> Module:
    """A copy of a module for `follow`: its parameters are buffers, so that no gradient reaches them.

    It begins with the values of the module, also where both are drawn anew: `initialise` copies them again.
    """
    other, sources = copy.deepcopy(module), dict(module.named_parameters() + module.named_buffers())
    for name, tensor in other.named_parameters() + other.named_buffers():
        tensor.__class__, tensor.requires_grad = Buffer, False  # wherever it is held: in an attribute, in a list
        tensor.initialiser = partial(_values_of, sources[name])
        tensor.redraw(0)
    return other


def _values_of(source, rng, shape):
    return source.data.copy()


def begin_alike(task: Task, model: Module) -> None:
    """Give what `slow_copy` made of a task's model, or what it was made of, the values that the model has now."""
    tensors, given = [tensor for _, tensor in task.named_buffers()], {id(tensor) for tensor in _tensors(model)}
    copies = [(tensor, tensor.initialiser.args[0]) for tensor in tensors
              if getattr(tensor.initialiser, "func", None) is _values_of]
    for tensor, source in copies:
        if id(tensor) in given:
            source.data = tensor.data
    for tensor, source in copies:
        if id(tensor) not in given:
            tensor.data = source.data


def _tensors(module):
    return [tensor for _, tensor in module.named_parameters() + module.named_buffers()]


def follow(slow: Module, fast: Module, momentum: float) -> None:
    """slow <- momentum slow + (1 - momentum) fast, for what is trained of `fast`; its buffers are copied.

    (Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017, arXiv:1703.01780)
    """
    averages = dict(slow.named_buffers())
    for name, parameter in fast.named_parameters():
        average = averages[name].mutable()
        average += (1 - momentum) * (parameter.data - average)
    for name, buffer in fast.named_buffers():
        averages[name].mutable()[...] = buffer.data
