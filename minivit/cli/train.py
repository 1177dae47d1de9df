"""python -m minivit train: from a command to a run folder."""

import argparse
from dataclasses import replace

from ..precision import PRECISIONS

RECIPE_OPTIONS = ("minutes", "epochs", "steps", "batch_size", "lr", "seed", "data", "pictures", "device", "threads",
                  "precision", "shard", "init")
RUNS = ("teacher", "tokenizer")  # options that name the run of another task
EXAMPLES = """examples:
  python -m minivit train vit                        the variant "cifar" of ViT, in 4 minutes
  python -m minivit train resnet:cifar20 --epochs 5
  python -m minivit train mae                        another task: a masked autoencoder of the ViT, without labels
  python -m minivit train vit --init runs/mae-1      begin with the weights that a run has learned
  python -m minivit train --recipe vit_15min         a recipe of minivit/train/recipes, or your own FILE.py
  python -m minivit train --resume runs/vit-cifar-1  go on where a run was stopped
  mpiexec -n 4 python -m minivit train vit           four processes train one model (requirements-mpi.txt)
"""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "train", help="train a model", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a model and leave a run folder: config, metrics, curves, pictures, checkpoint.\n"
                    "What is not given is taken from the recipe, or from the default recipe.")
    parser.add_argument("what", nargs="?", metavar="MODEL[:VARIANT] or TASK",
                        help="as `python -m minivit models` lists them; of a model, classification is learned")
    parser.add_argument("--model", metavar="MODEL[:VARIANT]", help="the model of a task (default vit:cifar)")
    parser.add_argument("--init", metavar="RUN", help="a run whose weights the model begins with, all but the head")
    parser.add_argument("--teacher", metavar="RUN", help="for distil: the run whose model the student learns from")
    parser.add_argument("--tokenizer", metavar="RUN", help="for beit: the run of a dvae whose words it predicts")
    parser.add_argument("--recipe", metavar="NAME", help="a file of minivit/train/recipes, or your own FILE.py")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive(float), metavar="M",
                        help="as many steps as fit, tests included; measured at the start (without a recipe 4)")
    length.add_argument("--epochs", type=positive(float), metavar="E", help="how often to go through the pictures")
    length.add_argument("--steps", type=positive(int), metavar="N", help="how many batches to train on")
    parser.add_argument("--batch-size", type=positive(int), metavar="B", help="pictures a step")
    parser.add_argument("--lr", type=positive(float), help="the highest learning rate")
    parser.add_argument("--seed", type=int, metavar="S", help="of everything random")
    parser.add_argument("--data", metavar="NAME", help="cifar10, cifar100, shapes10, scenes, a folder, or auto: "
                                                       "CIFAR-10 where it can be had, else shapes10")
    parser.add_argument("--pictures", type=positive(int), metavar="N",
                        help="train on N pictures only, as many of each class")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where to compute; auto: on a GPU, if "
                                                                               "there is one")
    parser.add_argument("--threads", type=positive(int), metavar="T", help="CPU threads (default: one for each core)")
    parser.add_argument("--precision", choices=PRECISIONS, help="of matrix products: a GPU can be quicker at less")
    parser.add_argument("--shard", choices=["optimiser"],
                        help="with mpiexec: what each process keeps a part of, to need less memory")
    parser.add_argument("--out", metavar="FOLDER", help="the run folder (default runs/MODEL-VARIANT-1, -2 ...)")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder, to the same end")
    parser.add_argument("--save-every", type=positive(float), default=30.0, metavar="SECONDS",
                        help="time between checkpoints (default 30)")
    parser.set_defaults(run=train)


def positive(kind):
    """A converter for argparse that refuses what is not a number above 0."""
    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"expected a {'whole ' * (kind is int)}number above 0, got {text}")
        return value
    return convert


def train(args):
    """Train, or go on; draw the pictures; say what came out and what to do next."""
    from .. import train as training
    from ..processes import processes
    try:
        if args.resume:
            refuse_changes(args)
            _, run = training.resume(args.resume, save_every=args.save_every)
        else:
            _, run = training.train(chosen_recipe(args), args.out, save_every=args.save_every)
    except training.Stopped as stop:
        if processes().rank == 0:
            draw(stop.run)
        raise
    if processes().rank:
        return
    draw(run)
    result, recipe = run.result(), run.recipe()
    print(f"{tested_in_words(result)}, after {result['epoch']:.1f} epochs in {result['seconds'] / 60:.1f} minutes: see "
          f"{run.folder}")
    print(f"next: python -m minivit predict {run.folder} PICTURE.png, or python -m minivit evaluate {run.folder}")
    if recipe.task != "classify":
        print(f"      python -m minivit train {recipe.model}:{recipe.variant} --init {run.folder}")


def tested_in_words(result):
    """test accuracy 71.2%, test loss 0.912, on 10,000 pictures"""
    names = sorted((name for name in result if name.startswith("test_") and name != "test_pictures"),
                   key=lambda name: name != "test_accuracy")
    numbers = [f"{name.replace('_', ' ')} {result[name]:.1%}" if "accuracy" in name else
               f"{name.replace('_', ' ')} {result[name]:.3f}" for name in names]
    return f"{', '.join(numbers) or 'nothing measured'}, on {result['test_pictures']:,} pictures"


def chosen_recipe(args):
    """The recipe that is named, or the default one of a task, changed by what the command line gives."""
    from ..models import list_models, task_of
    from ..names import expect
    from ..tasks import find_task, list_tasks
    from ..train import Recipe, load_recipe
    if not (args.what or args.recipe):
        raise ValueError("train: name a model or a task, as in `python -m minivit train vit`, or a --recipe")
    model, task = args.model, None
    if args.what:
        expect("model or task", args.what.partition(":")[0], [*list_models(), *list_tasks()])
        if args.what in list_tasks():
            task = args.what
        elif model:
            raise ValueError(f"train: {args.what} is a model, not a task; leave out --model {model}")
        else:
            model = args.what
    architecture = model.partition(":")[0] if model else None
    if architecture in list_models() and task_of(architecture) != "classify":
        raise ValueError(f"train: {architecture} is what a task builds on a model: python -m minivit train "
                         f"{task_of(architecture)}")
    recipe = load_recipe(args.recipe) if args.recipe else Recipe()
    if args.what and not task:
        task = "classify"
    if task and task != recipe.task:
        recipe = replace(recipe, **{"task": task, "task_settings": {}} | find_task(task).defaults)
    changes = {name: getattr(args, name) for name in RECIPE_OPTIONS if getattr(args, name) is not None}
    named = {name: getattr(args, name) for name in RUNS if getattr(args, name)}
    if named:
        changes["task_settings"] = recipe.task_settings | named
    if model:
        model, _, variant = model.partition(":")
        changes |= {"model": model, "variant": variant or "cifar"}
        if (changes["model"], changes["variant"]) != (recipe.model, recipe.variant):
            changes["settings"] = {}  # they were another model's
    if args.init and not changes.get("settings", recipe.settings):
        changes["settings"] = settings_of_run(args.init, changes.get("model", recipe.model))
    if changes.keys() & {"minutes", "epochs", "steps"}:
        changes = {"steps": None, "epochs": None} | changes
    return replace(recipe, **changes)


def settings_of_run(folder, model):
    """The settings with which a run built its model, if that is the same architecture: its weights fit no other."""
    from ..train import Run
    recipe = Run(folder).recipe()
    kept = {name: value for name, value in recipe.settings.items() if name != "num_classes"}
    return kept if recipe.model == model else {}


def refuse_changes(args):
    """A resumed run has its settings from its folder; anything else would not be the same run."""
    given = [name for name in ("what", "model", *RUNS, "recipe", "out", *RECIPE_OPTIONS)
             if getattr(args, name) is not None]
    if given:
        raise ValueError(f"train --resume: the run has its settings from its folder; leave out {', '.join(given)}")


def draw(run):
    """The pictures of a run folder: curves of what there is; of a complete run what the task has to show."""
    from .. import data, viz
    from ..files import write_atomically
    from ..train import load_task
    from ..train.start import build
    metrics, result, about_data = run.metrics(), run.result(), run.about_data()
    if not metrics:
        return
    task = load_task(run) if result else build(run.recipe(), about_data)
    figure = viz.curves(metrics, run.folder.name, task.plateaus(run.recipe().batch_size))
    write_atomically(run.folder / "curves.png", viz.png(figure))
    if result and "confusion" in result:
        figure = viz.confusion_matrix(result["confusion"], about_data["classes"])
        write_atomically(run.folder / "confusion.png", viz.png(figure))
    elif result:
        _, test_set = data.load(run.recipe().data)
        samples = data.Samples(test_set.subset(slice(8)), mean=about_data["mean"], std=about_data["std"])
        rows = task.pictures(samples, slice(None))
        if rows:
            write_atomically(run.folder / "pictures.png", viz.png(viz.rows_of_pictures(rows, run.folder.name)))
