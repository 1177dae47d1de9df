"""What is around another optimiser, and hands on to it what a trainer asks of both."""

from collections.abc import Callable

from ...types import State
from .optimisers import Optimiser


class Around:
    """The base of SAM and Sharded: write `__init__`, and what is done otherwise.

    Attributes
    ----------
    optimiser : Optimiser
        The other one, whose learning rate, steps and state these are.
    parameters : list of Parameter
        All that learn.
    """

    optimiser: Optimiser
    parameters: list

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.optimiser.lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self.optimiser.lr = lr

    def scale_decay(self, factor: float) -> None:
        """Give the next steps so many times the weight decay that the groups of the other optimiser began with."""
        self.optimiser.scale_decay(factor)

    def step(self, map: Callable = map) -> None:
        """The step of the other optimiser."""
        self.optimiser.step(map)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> State:
        """That of the other optimiser."""
        return self.optimiser.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` returned."""
        self.optimiser.load_state_dict(state)
