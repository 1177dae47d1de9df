"""The training loop: step after step, looked at from time to time, and saved."""

import contextlib
import time
from dataclasses import replace
from functools import partial

from .batches import Batches
from .budget import count_steps
from .evaluate import evaluate
from .interrupt import DelayedInterrupt
from .threads import Threads
from .progress import progress_bar
from .trainer import Diverged, Meter, Trainer


class Stopped(KeyboardInterrupt):
    """Ctrl-C was pressed, and the run has been saved."""


def fit(model, train_set, test_set, run, *, save_every=30.0):
    """Train a model from where its run folder stands to the last step of the recipe there, then test it.

    Afterwards the model has the weights that were tested: where the recipe asks for it, their average.

    Parameters
    ----------
    model : Module
        As the recipe begins with it; the weights of a run that is resumed come from its checkpoint.
    train_set, test_set : Dataset
    run : Run
        Its recipe has device and number of threads decided.
    save_every : float
        Seconds between checkpoints; it changes nothing in the result.

    Raises
    ------
    Diverged, Stopped, OSError, MemoryError
        The loss is not finite, Ctrl-C was pressed, a file could not be written, the batches are too large. In each case
        the message says what is kept and how to go on.
    """
    begun = time.perf_counter()
    recipe, facts = run.recipe(), run.config()["data"]
    statistics = {"mean": facts["mean"], "std": facts["std"]}
    try:
        with Threads(recipe.threads) as threads, Batches(train_set, recipe, **statistics) as batches:
            test = partial(evaluate, model, threads=threads, device=recipe.device, **statistics)
            if not recipe.steps:
                recipe = replace(recipe, steps=count_steps(model, recipe, batches, threads, test, test_set, begun))
                run.write_recipe(recipe)
            trainer = Trainer(model, recipe, batches, threads)
            trainer.restore(run)
            train_steps(trainer, run, test, test_set.subset(slice(recipe.evaluation_size)), save_every)
            finish(trainer, run, test, test_set)
    except Diverged as error:
        raise Diverged(f"{error}; try a smaller learning rate. {run.kept()}") from error
    except MemoryError as error:
        raise MemoryError(f"{str(error) or 'no memory is left'}; batches of {recipe.batch_size} pictures are too large "
                          f"for device {recipe.device!r}: begin a new run with --batch-size "
                          f"{max(1, recipe.batch_size // 2)}. {run.kept()}") from error
    except OSError as error:
        raise OSError(f"{run.folder} cannot be written: {error.strerror or error}. {run.kept()}; go on with: "
                      f"{run.resume_command()}") from error
    except KeyboardInterrupt:
        raise Stopped(f"stopped. {run.kept()}; go on with: {run.resume_command()}") from None


def train_steps(trainer, run, test, sample, save_every):
    """The loop: a hundred lines of metrics, some looks at a sample of the test set, a checkpoint now and then."""
    steps, size, looks = trainer.recipe.steps, trainer.batches.size, trainer.recipe.evaluations
    look_after = {steps * k // (looks + 1) for k in range(1, looks + 1)}
    log_after = {steps * k // 100 for k in range(1, 101)} | look_after
    begun, saved = time.perf_counter() - trainer.seconds, time.perf_counter()
    with DelayedInterrupt() as interrupt, progress_bar(steps * size, "train", initial=trainer.done * size) as bar:
        while trainer.done < steps:
            trainer.step()
            if trainer.done in log_after:
                trainer.settle()
            trainer.seconds = time.perf_counter() - begun
            if trainer.meter.steps:
                means = trainer.meter.means()
                bar.set_postfix_str(f"loss {means['loss']:.3f}, accuracy {means['accuracy']:.1%}", refresh=False)
            bar.update(size)
            if trainer.done in log_after:
                line = position(trainer) | means | {"learning_rate": trainer.optimiser.lr}
                if trainer.done in look_after:
                    with trainer.average.applied() if trainer.average else contextlib.nullcontext():
                        loss, accuracy, _ = test(sample, progress=False)
                    line |= {"test_loss": loss, "test_accuracy": accuracy, "test_pictures": len(sample)}
                run.log(line)
                trainer.meter = Meter()
            if interrupt.requested or trainer.done == steps or time.perf_counter() - saved >= save_every:
                trainer.save(run)
                saved = time.perf_counter()
            if interrupt.requested:
                raise KeyboardInterrupt


def finish(trainer, run, test, test_set):
    """The last line of the metrics: all test pictures, classified with the averaged weights where there are any."""
    if trainer.average:
        trainer.model.load_state_dict(trainer.average.state_dict())
    loss, accuracy, confusion = test(test_set)
    run.log(position(trainer) | {"final": True, "test_loss": loss, "test_accuracy": accuracy,
                                 "test_pictures": len(test_set), "confusion": confusion.tolist()})


def position(trainer):
    """Where the run stands: steps, epochs, seconds of training."""
    return {"step": trainer.done, "epoch": round(trainer.done / trainer.batches.per_epoch, 4),
            "seconds": round(trainer.seconds, 2)}
