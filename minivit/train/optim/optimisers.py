"""Optimisers: how gradients change weights.

They follow PyTorch in use and in arithmetic:

    optimiser = AdamW(parameter_groups(model, weight_decay=0.05), lr=1e-3)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
"""

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import array_module, asnumpy, to_device
from ...engine import Tensor
from ...fast_forms import compiled, has_fast_form, switched_off
from ...names import expect
from ...nn.module import Module
from ...nn.parameter import Parameter
from ...ops.chunks import chunks
from ...types import Array, Params, State

CACHED = 1 << 15  # numbers of each array at a time: an optimiser's handful of arrays fit a level 2 cache


def parameter_groups(model: Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters of a model in two groups: those that weight decay pulls towards 0, and those that it spares.

    Frozen parameters, whose requires_grad is False, are left out.

    Decayed are the weights of linear maps and convolutions, which have two axes or more. Spared are biases and the
    factors of normalisation layers, which are few, set a level, and cannot overfit; and tokens and position
    embeddings, which are added to every picture alike: no weight multiplies them that could make up for shrinking.
    """
    decayed, spared = [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:  # frozen
            continue
        own_name = name.rpartition(".")[2]
        embedding = any(word in own_name for word in ("token", "position", "probe"))
        (spared if parameter.ndim < 2 or embedding else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def clip_gradients(parameters: list[Parameter], max_norm: float = math.inf) -> float:
    """Scale all gradients by one factor so that their common Euclidean norm is at most `max_norm`; in place.

    Returns the norm before: sqrt(sum of g^2), a float. (Pascanu et al., 2013, arXiv:1211.5063, section 3.2)
    """
    if not max_norm > 0:
        raise ValueError(f"clip_gradients: max_norm: expected more than 0 (inf is no limit), got {max_norm}")
    different = {id(parameter): parameter for parameter in listed("clip_gradients: parameters", parameters)}
    gradients = [parameter.grad for parameter in different.values() if parameter.grad is not None]
    norm = math.sqrt(sum(_sum_of_squares(g) for g in gradients))
    if norm > max_norm:
        for g in gradients:
            g *= max_norm / (norm + 1e-6)  # PyTorch's 1e-6
    return norm


def _sum_of_squares(g):
    if g.dtype == np.float16:  # whose own sums end at 65,504
        g = g.astype(np.float32)
    return float(array_module(g).vdot(g, g))


class Optimiser:
    """What the optimisers share: settings for groups of parameters, and a state for each parameter.

    Parameters
    ----------
    params : list of Parameter, or list of dict
        A dict is a group: its parameters under "params", and the settings that differ from the others', by name.
    lr : float
        The learning rate; a schedule assigns `optimiser.lr` before each step. A group with an "lr" of its own keeps the
        ratio of the two: it follows the schedule, too.
    """

    state_names: tuple[str, ...] = ()
    group_settings = {}  # what only a group can set, and what holds where none does
    all_at_once = None  # the fast form that makes the steps of all parameters in one go, if there is one

    def __init__(self, params: Params, lr: float, **settings: Any) -> None:
        self.lr, settings = lr, self.group_settings | settings
        groups = [group if isinstance(group, dict) else {"params": [group]} for group in listed("params", params)]
        self.parameters, self.ratios = [], []
        self.settings: list[dict[str, Any]] = []
        for group in groups:
            expect_settings(group, ("params", "lr", *settings))
            own = settings | group
            members, ratio = listed('"params" of a group', own.pop("params")), self._ratio(own.pop("lr", lr))
            check_settings(own)
            self.parameters += members
            self.settings += [own.copy() for _ in members]
            self.ratios += [ratio] * len(members)
        check_parameters(self.parameters)
        self.decays = [own["weight_decay"] for own in self.settings]  # of which a schedule gives multiples
        self.steps = [0] * len(self.parameters)
        self.state = [[array_module(p.data).zeros_like(p.data) for _ in self.state_names] for p in self.parameters]

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        check_settings({"lr": lr})
        self._lr = lr

    def _ratio(self, lr):
        """How many times the learning rate a group has that was given its own."""
        check_settings({"lr": lr})
        if lr != self.lr and self.lr == 0:
            raise ValueError(f"lr: expected more than 0, which the {lr} of a group can be a multiple of, got 0")
        return 1.0 if lr == self.lr else lr / self.lr

    def scale_decay(self, factor: float) -> None:
        """Give the next steps so many times the weight decay that each group began with: for a schedule of it."""
        check_settings({"factor": factor})
        for own, decay in zip(self.settings, self.decays, strict=True):
            own["weight_decay"] = factor * decay

    def step(self, map: Callable = map) -> None:
        """Change every parameter that has a gradient; with the `map` of a thread pool, on several threads."""
        self.count()
        self.change(map)

    def count(self) -> None:
        """The first half of a step: count it for every parameter that has a gradient."""
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None and getattr(parameter.grad, "shape", None) != parameter.shape:
                raise ValueError(f"step: the gradient of parameter {index}: expected an array of shape "
                                 f"{parameter.shape}, got {getattr(parameter.grad, 'shape', type(parameter.grad))}")
        for index, parameter in enumerate(self.parameters):
            self.steps[index] += parameter.grad is not None
        if self.all_at_once:
            self.all_at_once.prepare([self.lr * ratio for ratio in self.ratios], self.steps)

    def change(self, map: Callable = map) -> None:
        """The second half of a step: change these parameters."""
        updates = []
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                arrays = parameter.mutable(), parameter.grad, *self.state[index]
                updates += [(index, views) for views in self.chunks(index, arrays)]
        if self.all_at_once:
            self.all_at_once(updates)
        else:
            list(map(self.update_chunk, updates))

    def chunks(self, index: Any, arrays: Array) -> list:
        """The arrays of a parameter, cut into what is updated at a time."""
        return list(chunks(*arrays, numbers=CACHED))

    def update_chunk(self, update: tuple) -> None:
        """Change one chunk of one parameter."""
        index, views = update
        self.update(*views, lr=self.lr * self.ratios[index], steps=self.steps[index], **self.settings[index])

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> State:
        """{name: array in host memory}: with the weights, all that the next steps depend on."""
        return {"steps": np.array(self.steps)} | {
            f"{name}.{index}": asnumpy(array).copy() for index, arrays in enumerate(self.state)
            for name, array in zip(self.state_names, arrays, strict=True)}

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` of an optimiser of the same kind, for the same parameters, returned."""
        own = self.state_dict()
        if {name: np.shape(x) for name, x in own.items()} != {name: np.shape(x) for name, x in state.items()}:
            raise ValueError(f"load_state_dict of {type(self).__name__}: the state is of another optimiser, or of "
                             "other parameters")
        self.steps = [int(n) for n in state["steps"]]
        for index, arrays in enumerate(self.state):
            for name, array in zip(self.state_names, arrays, strict=True):
                array[...] = to_device(np.asarray(state[f"{name}.{index}"]), self.parameters[index].device)


def listed(name: str, params: Params) -> list:
    """Parameters or groups as a list; an error for one tensor, a model, or a dict, which one might pass instead."""
    if isinstance(params, (Tensor, dict)) or not hasattr(params, "__iter__"):
        raise TypeError(f"{name}: expected a list, such as model.parameters(), got one {type(params).__name__}")
    return list(params)


def check_parameters(parameters: Any) -> None:
    """Raise an error unless an optimiser can train all of them, each once."""
    if not parameters:
        raise ValueError("params: expected at least one parameter, got none")
    first = {}
    for index, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"params[{index}]: expected a Parameter or a Tensor, got {type(parameter).__name__}")
        if parameter.node is not None:
            raise ValueError(f"params[{index}]: expected a tensor that you made yourself, got one computed by "
                             f"{parameter.node.name!r}, which no step can change")
        if not parameter.requires_grad:
            raise ValueError(f"params[{index}]: expected requires_grad, got a tensor of shape {parameter.shape} "
                             "without, which would never learn; leave it out")
        if first.setdefault(id(parameter), index) != index:
            raise ValueError(f"params[{index}]: expected each parameter once, got params[{first[id(parameter)]}] again")


def expect_settings(group, names) -> None:
    """Raise an error if a group of parameters has a setting that the optimiser does not know, or no parameters."""
    for name in group:
        expect("setting of a group", name, names)
    if "params" not in group:
        raise ValueError(f'params: expected groups with "params", got one with {", ".join(map(repr, group))}')


def check_settings(settings: Any) -> None:
    """Raise an error for numbers that would not train, or would ruin the weights."""
    for name, value in settings.items():
        pair, below_one = name == "betas", name in ("betas", "momentum")
        values, limit = value if pair and isinstance(value, (tuple, list)) else (value,), 1 if below_one else math.inf
        if len(values) != 1 + pair or not all(isinstance(x, numbers.Real) and 0 <= float(x) < limit for x in values):
            pairs = "two numbers, each " if pair else ""
            raise ValueError(f"{name}: expected {pairs}0 <= {name} < {limit}, got {value!r}")


class SGD(Optimiser):
    """w <- w - lr v with v <- momentum v + g: gradient descent that keeps going where it went.

    With `nesterov`, w <- w - lr (g + momentum v). Weight decay is added to the gradient: g + weight_decay w.
    (Sutskever et al., ICML 2013, in PyTorch's form, where the learning rate is no part of v.)
    """

    state_names = ("velocity",)

    def __init__(self, params: Params, lr: float = 0.1, *, momentum: float = 0.9, weight_decay: float = 0.0,
                 nesterov: bool = False) -> None:
        super().__init__(params, lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def update(self, w: Array, g: Array, v: Array, *, lr: float, steps: int, momentum: float, weight_decay: float,
               nesterov: bool) -> None:
        """One step on blocks of weights, gradients and velocities, in place."""
        if weight_decay:
            g = g + weight_decay * w
        v *= momentum
        v += g
        w -= lr * (g + momentum * v if nesterov else v)


class AdamW(Optimiser):
    """w <- (1 - lr weight_decay) w - lr m / (sqrt(v) + eps), with bias-corrected running means m of g and v of g^2.

    The decay acts on the weights themselves and is not divided by sqrt(v): "decoupled".
    (Kingma and Ba, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, in PyTorch's
    form, where the decay is multiplied by the learning rate.)
    """

    state_names = ("mean", "square")

    def __init__(self, params: Params, lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.01) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.all_at_once = _all_at_once(self.parameters, self.settings)

    def update(self, w: Array, g: Array, m: Array, v: Array, **settings: Any) -> None:
        """One step on blocks of weights, gradients and their two means, in place."""
        _adamw(w, g, m, v, **settings)


@has_fast_form
def _adamw(w, g, m, v, *, lr, steps, betas, eps, weight_decay):
    beta1, beta2 = betas
    w *= 1 - lr * weight_decay
    m += (1 - beta1) * (g - m)
    v *= beta2
    v += (1 - beta2) * g * g
    root = array_module(v).sqrt(v)
    root /= math.sqrt(1 - beta2 ** steps)
    root += eps
    w -= lr / (1 - beta1 ** steps) * m / root


def _all_at_once(parameters, settings):
    """The fast form for float32 parameters on a GPU: it can be captured, since it reads there what changes."""
    places = {(parameter.device, parameter.dtype) for parameter in parameters}
    if switched_off() or len(places) > 1 or parameters[0].dtype != np.float32:
        return None
    fast = getattr(compiled(parameters[0].device), "AdamWAllAtOnce", None)
    return fast and fast(array_module(parameters[0].data), settings)
