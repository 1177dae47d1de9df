"""One step of training: forward, backward, update; and what has to be kept to go on after an interruption."""

import math
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np

from ..backend import random_generator
from ..nn import randomness
from ..processes import ALONE
from .batches import FORWARD
from .graph import Captured, clipped_gradients, read_later
from .optim import (SAM, SGD, AdamW, ExponentialMovingAverage, Muon, Sharded, ShardedAverage, clip_gradients,
                    clip_units, clipped_units, muon_groups, parameter_groups, unchanged, warmup_cosine)

# a recipe's name for it: (the optimiser, what sorts a model's parameters for it)
OPTIMISERS = {"adamw": (AdamW, parameter_groups), "sgd": (SGD, parameter_groups), "muon": (Muon, muon_groups)}


def make_optimiser(task, recipe, group=ALONE):
    """The optimiser that a recipe names, for the parameters of a task; `group`: the processes that share it out."""
    settings, is_sam = dict(recipe.optimiser_settings), recipe.optimiser == "sam"
    rho = {"rho": settings.pop("rho")} if is_sam and "rho" in settings else {}
    optimiser, groups = OPTIMISERS[settings.pop("base", "sgd") if is_sam else recipe.optimiser]
    make = partial(optimiser, lr=recipe.lr, **settings)
    divided = divided_by_rate(groups(task, recipe.weight_decay), task.learning_rates(), recipe.lr)
    made = Sharded(make, divided, group) if recipe.shard and group.size > 1 else make(divided)
    return SAM(made, **rho) if is_sam else made


def divided_by_rate(groups, rates, lr):
    """Groups of parameters, in which those of a part that has a learning rate of its own are by themselves."""
    factors = {id(parameter): factor for part, factor in rates for parameter in part.parameters()}
    divided = []
    for group in groups:
        own = [factors.get(id(parameter), 1.0) for parameter in group["params"]]
        for factor in dict.fromkeys(own):
            params = [parameter for parameter, rate in zip(group["params"], own, strict=True) if rate == factor]
            divided.append(group | {"params": params} | ({} if factor == 1.0 else {"lr": factor * lr}))
    return divided


class Diverged(ArithmeticError):
    """The loss or its gradient is not a finite number any more."""


@dataclass
class Meter:
    """Sums over the steps since the last line of the metrics."""

    steps: int = 0
    sums: dict = field(default_factory=dict)

    def add(self, numbers):
        """Take in the numbers of one step, {name: mean over its batch}."""
        self.steps += 1
        self.sums = {name: self.sums.get(name, 0.0) + number for name, number in numbers.items()}

    def means(self):
        """{name: mean over the steps}"""
        return {name: total / self.steps for name, total in self.sums.items()}


class Trainer:
    """A task in training: its optimiser, the average of its weights, and how far it has come.

    Parameters
    ----------
    task : Task
    recipe : Recipe
        With its steps known.
    batches : Batches
    threads : Threads
    """

    def __init__(self, task, recipe, batches, threads):
        self.task, self.recipe, self.batches, self.threads = task, recipe, batches, threads
        self.optimiser, self.average = make_optimiser(task, recipe, threads.processes), None
        if recipe.average and recipe.shard and threads.processes.size > 1:
            self.average = ShardedAverage(task, recipe.average, threads.processes)
        elif recipe.average:
            self.average = ExponentialMovingAverage(task, recipe.average)
        self.done, self.seconds, self.meter = 0, 0.0, Meter()
        self.names, self.pending = (), None  # of the numbers of a step, and the numbers that are still on their way
        units = partial(clip_units, clipped_units(task), recipe.agc) if recipe.agc else None
        self.gradient = self.differentiate = self.on_device(recipe.clip or math.inf, units)
        if recipe.optimiser == "sam":
            self.gradient, self.climb = self.uphill, self.on_device(math.inf, None)

    def step(self):
        """Train on the next batch. A GPU is still at work on it afterwards: `read_numbers` waits, as the next step."""
        batch = self.batches[self.done]
        self.task.train()
        numbers = self.gradient(*batch, seed=(FORWARD, self.recipe.seed, self.done))
        self.optimiser.lr = self.learning_rate()
        if self.recipe.final_weight_decay is not None:
            self.optimiser.scale_decay(self.decay_factor())
        self.read_numbers()
        self.pending = self.done, read_later(numbers)
        if self.recipe.device == "cpu":
            self.read_numbers()
        for parameter in self.task.resting(self.done, self.recipe.steps):
            parameter.grad = None
        self.optimiser.step(self.threads.map)
        self.optimiser.zero_grad()
        self.done += 1
        self.task.after_step(self.done, self.recipe.steps)
        if self.average:
            self.average.update(self.threads.map)

    def read_numbers(self):
        """Take the numbers of the last step into the meter, if they are not there yet."""
        if self.pending:
            (step, read), self.pending = self.pending, None
            numbers = dict(zip(("loss", "gradient_norm", *self.names), map(float, read()), strict=True))
            if not math.isfinite(numbers["loss"] + numbers["gradient_norm"]):
                raise Diverged(f"the loss is {numbers['loss']:g} and the norm of its gradient "
                               f"{numbers['gradient_norm']:g} at step {step} (learning rate {self.optimiser.lr:.2g})")
            self.meter.add(numbers)

    def uphill(self, *batch, seed):
        """The gradient where the loss is highest nearby (SAM): of the same batch, with the same random numbers.

        The numbers are those of the first pass, at the weights themselves, but for the norm: that of what is left in
        `.grad`. Buffers are written by the first pass alone.
        """
        numbers = self.climb(*batch, seed=seed)
        with self.optimiser.uphill(numbers[1]), unchanged([buffer for _, buffer in self.task.named_buffers()]):
            numbers[1] = self.differentiate(*batch, seed=seed)[1]
        return numbers

    def on_device(self, max_norm, clip_units):
        """A function of a batch and a seed that leaves the clipped gradient in `.grad` of every parameter.

        It returns the loss, the norm, and the task's numbers. clip_units() clips unit by unit, None does not.
        """
        limits = {"max_norm": max_norm, "clip_units": clip_units}
        if self.recipe.device != "cuda" or self.threads.processes.size > 1:
            return partial(self.on_threads, **limits)
        if not self.task.capturable:
            return partial(self.one_by_one, **limits)
        tensors = self.task.parameters() + [buffer for _, buffer in self.task.named_buffers()]
        return Captured(partial(self.on_gpu, **limits), tensors)

    def on_threads(self, *batch, seed, max_norm, clip_units):
        """The gradient of a batch that the threads share."""
        parameters = self.optimiser.parameters
        loss, numbers = self.threads.gradients(self.task.loss, parameters, *batch, seed=seed)
        self.names = tuple(numbers)
        if clip_units:
            clip_units()
        return np.array([loss, clip_gradients(parameters, max_norm), *numbers.values()])

    def on_gpu(self, *batch, max_norm, clip_units):
        """The same on a GPU, where random numbers come from the current generator."""
        numbers, self.names = clipped_gradients(self.task.loss, self.optimiser.parameters, *batch, max_norm=max_norm,
                                                clip_units=clip_units)
        return numbers

    def one_by_one(self, *batch, seed, **limits):
        """The same without a graph."""
        with randomness(random_generator(seed, "cuda")):
            return self.on_gpu(*batch, **limits)

    def learning_rate(self):
        """The learning rate of the next step."""
        recipe = self.recipe
        return warmup_cosine(self.done, steps=recipe.steps, peak=recipe.lr, final=recipe.lr * recipe.final_lr,
                             warmup=round(recipe.warmup * recipe.steps))

    def decay_factor(self):
        """How many times the recipe's weight decay the next step has."""
        recipe = self.recipe
        return warmup_cosine(self.done, steps=recipe.steps, peak=1.0, warmup=0,
                             final=recipe.final_weight_decay / recipe.weight_decay)

    def take_average(self):
        """Give the task the averaged weights, where the recipe asks for them: what is tested and kept at the end."""
        if self.average:
            self.task.load_state_dict(self.average.state_dict())

    def save(self, run):
        """Write the checkpoint of a run folder."""
        self.read_numbers()
        state = {"step": self.done, "seconds": self.seconds, "meter": asdict(self.meter)}
        states = {"task": self.task.state_dict(), "optimiser": self.optimiser.state_dict()}
        if self.average:
            state["averaged_steps"], states["average"] = self.average.steps, self.average.state_dict()
        run.save_checkpoint(state, **states)

    def restore(self, run):
        """Go back to the checkpoint of a run folder, and its metrics with it; without a checkpoint, stay at step 0."""
        checkpoint = run.load_checkpoint()
        if checkpoint:
            state, states = checkpoint
            self.done, self.seconds, self.meter = state["step"], state["seconds"], Meter(**state["meter"])
            self.task.load_state_dict(states["task"])
            self.optimiser.load_state_dict(states["optimiser"])
            if self.average:
                self.average.load_state_dict(states["average"], state["averaged_steps"])
        run.forget_metrics_after(self.done)
