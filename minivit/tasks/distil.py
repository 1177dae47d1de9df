"""A student learns from a teacher's answers.  Touvron et al., ICML 2021, arXiv:2012.12877, section 4.

The teacher, a trained network, sees the same augmented pictures as the student; it does not learn any more.

    python -m minivit train distil --model deit --teacher runs/resnet-cifar-1

Departures from the paper: none.
"""

from collections.abc import Callable
from typing import Any, Self

from ..engine import Tensor, no_grad
from ..nn.module import Module
from ..ops import cross_entropy, kl_divergence
from ..types import Array
from .classify import Classify
from .task import slow_copy


class Distil(Classify):
    """Classification with a teacher at hand.

    Parameters
    ----------
    model : Module
        The student. A DeiT in training gives two logits, of the class head and of the distillation head; the logits of
        a student with one head, as any ViT, count as both.
    teacher : Module
        (B, H, W, C) -> (B, K)
    hard : bool
        Whether the student learns the class that the teacher decides for (equation 3), or all its probabilities
        (equation 2), with `temperature` and `weight` as in `soft_distillation`.
    **settings
        Of `Classify`.
    """

    runs = ("teacher",)
    alone = "classify"
    defaults = {"model": "deit"}

    def __init__(self, model: Module, teacher: Module, *, hard: bool = True, temperature: float = 3.0,
                 weight: float = 0.1, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.teacher, self.hard, self.soft = slow_copy(teacher), hard, {"temperature": temperature, "weight": weight}

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], **settings: Any) -> Self:
        """With the model of the teacher's run; see `Task.build`."""
        if "teacher" not in settings:
            raise ValueError("distil: needs a teacher; name the folder of its run: --teacher RUN")
        return super().build(make_model, classes, **settings)

    def train(self, mode: bool = True) -> Self:
        """The teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def loss(self, images: Array, labels: Array) -> tuple[Tensor, dict[str, Any]]:
        """The distillation loss; the accuracy is that of both heads together."""
        with no_grad():
            answers = self.teacher(Tensor.without_copy(images))
        outputs = self.model(Tensor.without_copy(images))
        logits, distilled = outputs if isinstance(outputs, tuple) else (outputs, outputs)  # (B, K) each
        right = labels if labels.ndim == 1 else labels.argmax(axis=1)
        accuracy = ((logits + distilled).data.argmax(axis=1) == right).mean()
        if self.hard:
            loss = hard_distillation(logits, distilled, answers, labels)
        else:
            loss = soft_distillation(logits, distilled, answers, labels, **self.soft)
        return loss, {"accuracy": accuracy, "agreement": (distilled.data.argmax(1) == answers.data.argmax(1)).mean()}


def soft_distillation(logits: Tensor, distilled: Tensor, teacher: Module, labels: Array, *, temperature: float = 3.0,
                      weight: float = 0.1) -> Tensor:
    """(1 - w) CE(logits, labels) + w T^2 KL(softmax(teacher / T) || softmax(distilled / T))  (equation 2).

    Parameters
    ----------
    logits, distilled, teacher : (B, K)
        Of the student's class head, of its distillation head, and of the teacher.
    labels : (B,) int or (B, K)
    temperature, weight : float
        T (the paper's tau), which softens both distributions, and w (its lambda).

    The KL divergence is summed over the classes, as in the equation; the authors' code also divides it by K.
    """
    return ((1 - weight) * cross_entropy(logits, labels)
            + weight * kl_divergence(distilled, teacher, temperature=temperature))


def hard_distillation(logits: Tensor, distilled: Tensor, teacher: Module, labels: Array) -> Tensor:
    """1/2 CE(logits, labels) + 1/2 CE(distilled, y_t), with y_t the class that the teacher decides for (equation 3).

    The arguments are those of `soft_distillation`.
    """
    return (cross_entropy(logits, labels) + cross_entropy(distilled, teacher.argmax(-1))) / 2


TASK = Distil
