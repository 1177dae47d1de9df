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
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..data.drawing import Drawing
from ..data.features import colours_of, nearest_class
from ..data.samples import Samples
from ..engine import no_grad
from ..models import picture_vectors
from ..nn import Module, Parameter, freeze
from ..team import all_sum
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
    needs : tuple of str
        What the data set must know of each picture, by the names of its arrays: ("labels",), ("boxes",). Who needs
        "sentences" gets the setting `words` as well, their vocabulary.
    runs : tuple of str
        Which of the settings name the folder of a run in a recipe: the run's model stands in for it.
    alone : str
        The task by which what was learned is used without those runs; empty where it is nothing without them.
    """

    shown = "loss"
    capturable = True
    defaults = {}
    needs: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    alone: str = ""

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

    @classmethod
    def settings_from(cls, about_data: dict[str, Any]) -> dict[str, Any]:
        """Settings that follow from the data, {name: value}, where the recipe does not say them.

        `about_data` is what `minivit.train.start.describe` says of them: {"pictures": [50000, 10000], ...}. Who needs
        sentences gets their words.
        """
        return {"words": tuple(about_data["words"])} if "sentences" in cls.needs else {}

    @property
    def backbone(self) -> Module:
        """The model that `init` fills, and whose weights are worth taking over: of student and teacher, the teacher."""
        raise NotImplementedError(f"{type(self).__name__}: says nothing about what others can take over (backbone)")

    def prepare(self, samples: Samples) -> None:
        """Look at the training pictures once, before the first step of a run that begins with weights of its own.

        What is made of them, as a palette, goes into buffers, and is saved with the run.
        """

    def learning_rates(self) -> list[tuple[Module, float]]:
        """Parts that learn slower or faster than the rest: [(part, factor of the recipe's learning rate)]."""
        return []

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

    def plateaus(self, batch: int) -> dict[str, float]:
        """Losses at which a model tells nothing apart, {what it means: loss}: the log says when the loss stays there.

        {"ln 256, every picture of the batch equally likely": 5.545}, with the number of pictures of a batch.
        """
        return {}

    def resting(self, done: int, steps: int) -> list[Parameter]:
        """The parameters that the next step leaves as they are, when `done` of `steps` are done; by default none."""
        return []

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

    def pictures(self, samples: Samples, chosen: Any) -> Mapping[str, np.ndarray | Drawing]:
        """What is worth looking at, made of some pictures: {title: uint8 (n, H, W, 3) or Drawing}; by default nothing.

        A Drawing has masks, boxes and words to be drawn over the pictures. `predict` shows the same of pictures of
        which nothing else is known: what `samples` do not have (masks, boxes, labels) is left out.
        """
        return {}


def share_of_mean(counted: Array) -> Array:
    """What turns a sum over this share of a batch into its part of the mean over all that is counted (rule 1).

    bool (B, ...) -> float64 (), all pictures / (pictures here x counted in the whole batch, at least 1): of the shares'
    results the mean is taken, each as heavy as it has pictures.
    """
    xp = array_module(counted)
    pictures, all_counted = all_sum(xp.stack([xp.asarray(float(len(counted))), counted.sum().astype(np.float64)]))
    return pictures / (len(counted) * xp.maximum(all_counted, 1))


def slow_copy(module: Module) -> Module:
    """A copy of a module for `follow`: its parameters are buffers, so that no gradient reaches them.

    It begins with the values of the module, also where both are drawn anew: `initialise` copies them again.
    """
    other, sources = freeze(copy.deepcopy(module)), dict(module.named_parameters() + module.named_buffers())
    for name, tensor in other.named_buffers():
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


def knn_accuracy(encoder: Module, samples: Samples, over: Over) -> dict[str, float]:
    """The share of pictures whose class the nearest others vote for, {"knn_accuracy": number}; {} without labels.

    Nearest in what the head of the encoder reads: see `minivit.data.features.nearest_class`.
    """
    if not hasattr(samples, "labels"):
        return {}
    vectors = np.concatenate(over(lambda chosen: asnumpy(picture_vectors(encoder, samples.view(chosen)))))
    found = nearest_class(vectors, vectors, samples.host_labels, leave_out=True)
    return {"knn_accuracy": float((found == samples.host_labels).mean())}


def likeness(encoder: Module, samples: Samples, chosen: Any) -> dict[str, np.ndarray]:
    """Pictures, and the encoder's last features as colours: see `minivit.data.features.colours_of`."""
    images = samples.view(chosen)
    with no_grad():
        maps = encoder.features(Tensor.without_copy(images))[-1].data                      # (B, h, w, C)
    return {"picture": samples.as_bytes(images), "like features, like colours": colours_of(maps, images.shape[1:3])}
