"""One step of training: forward, backward, update; and what has to be kept to go on after an interruption."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from ..engine import Tensor
from ..ops import cross_entropy
from .batches import FORWARD
from .graph import Captured
from .on_gpu import begin_reading, clipped_gradients
from .optim import (SGD, AdamW, ExponentialMovingAverage, Muon, clip_gradients, muon_groups, parameter_groups,
                    warmup_cosine)

# a recipe's name for it: (the optimiser, what sorts a model's parameters for it)
OPTIMISERS = {"adamw": (AdamW, parameter_groups), "sgd": (SGD, parameter_groups), "muon": (Muon, muon_groups)}


class Diverged(ArithmeticError):
    """The loss or its gradient is not a finite number any more."""


@dataclass
class Meter:
    """Sums over the steps since the last line of the metrics."""

    steps: int = 0
    loss: float = 0.0
    gradient_norm: float = 0.0
    pictures: int = 0
    correct: int = 0

    def add(self, *, loss, gradient_norm, pictures, correct):
        """Take in one step: its mean loss, and the counts of its batch."""
        self.steps += 1
        self.loss += loss
        self.gradient_norm += gradient_norm
        self.pictures += pictures
        self.correct += correct

    def means(self):
        """Mean loss and norm of the gradient, and the fraction of the pictures that were classified correctly."""
        return {"loss": self.loss / self.steps, "accuracy": self.correct / self.pictures,
                "gradient_norm": self.gradient_norm / self.steps}


class Trainer:
    """A model in training: its optimiser, the average of its weights, and how far it has come.

    Parameters
    ----------
    model : Module
    recipe : Recipe
        With its steps known.
    batches : Batches
    threads : Threads
    objective : callable, optional
        objective(images, targets) -> (mean loss, how many are right), by default `classify`.
    """

    def __init__(self, model, recipe, batches, threads, objective=None):
        self.model, self.recipe, self.batches, self.threads = model, recipe, batches, threads
        self.objective = objective or self.classify
        optimiser, groups = OPTIMISERS[recipe.optimiser]
        self.optimiser = optimiser(groups(model, recipe.weight_decay), recipe.lr, **recipe.optimiser_settings)
        self.average = ExponentialMovingAverage(model, recipe.average) if recipe.average else None
        self.done, self.seconds, self.meter, self.unsettled = 0, 0.0, Meter(), None
        self.differentiate = self.on_threads
        if recipe.device == "cuda":
            self.differentiate = Captured(self.on_gpu, model.parameters() + [b for _, b in model.named_buffers()])

    def step(self):
        """Train on the next batch. A GPU is still at work on it afterwards; `settle` waits, as the next step does."""
        images, targets = self.batches[self.done]
        self.model.train()
        numbers = self.differentiate(images, targets, seed=(FORWARD, self.recipe.seed, self.done))
        self.optimiser.lr = self.learning_rate()
        self.settle()
        self.unsettled = self.done, len(images), begin_reading(numbers)
        if self.recipe.device == "cpu":
            self.settle()
        self.optimiser.step(self.threads.map)
        self.optimiser.zero_grad()
        if self.average:
            self.average.update(self.threads.map)
        self.done += 1

    def settle(self):
        """Take the numbers of the last step into the meter, if they are not there yet."""
        if self.unsettled:
            (step, pictures, read), self.unsettled = self.unsettled, None
            loss, norm, correct = map(float, read())
            if not math.isfinite(loss + norm):
                raise Diverged(f"the loss is {loss:g} and the norm of its gradient {norm:g} at step {step} "
                               f"(learning rate {self.optimiser.lr:.2g})")
            self.meter.add(loss=loss, gradient_norm=norm, pictures=pictures, correct=int(correct))

    def on_threads(self, images, targets, *, seed):
        """Leave the clipped gradient in `.grad` of every parameter; return loss, norm, and number of right pictures."""
        parameters = self.optimiser.parameters
        loss, correct = self.threads.gradients(self.objective, parameters, images, targets, seed=seed)
        return np.array([loss, clip_gradients(parameters, self.recipe.clip or math.inf), sum(correct)])

    def on_gpu(self, images, targets):
        """The same on a GPU, where random numbers come from the current generator."""
        return clipped_gradients(self.objective, self.optimiser.parameters, images, targets,
                                 max_norm=self.recipe.clip or math.inf)

    def classify(self, images, targets):
        """The mean loss over some pictures, and how many of them are classified correctly.

        A model with several heads returns a tuple of logits: each head learns the labels, and their mean predicts.
        """
        outputs = self.model(Tensor.without_copy(images))
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing) for logits in heads)
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        predicted = sum(logits.data for logits in heads).argmax(axis=1)
        return loss / len(heads), (predicted == labels).sum()

    def learning_rate(self):
        """The learning rate of the next step."""
        recipe = self.recipe
        return warmup_cosine(self.done, steps=recipe.steps, peak=recipe.lr, final=recipe.lr * recipe.final_lr,
                             warmup=round(recipe.warmup * recipe.steps))

    def save(self, run):
        """Write the checkpoint of a run folder."""
        self.settle()
        state = {"step": self.done, "seconds": self.seconds, "meter": asdict(self.meter)}
        states = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        if self.average:
            state["averaged_steps"], states["average"] = self.average.steps, self.average.state_dict()
        run.save(state, **states)

    def restore(self, run):
        """Go back to the checkpoint of a run folder, and its metrics with it; without a checkpoint, stay at step 0."""
        checkpoint = run.load()
        if checkpoint:
            state, states = checkpoint
            self.done, self.seconds, self.meter = state["step"], state["seconds"], Meter(**state["meter"])
            self.model.load_state_dict(states["model"])
            self.optimiser.load_state_dict(states["optimiser"])
            if self.average:
                self.average.load_state_dict(states["average"], state["averaged_steps"])
        run.forget_metrics_after(self.done)
