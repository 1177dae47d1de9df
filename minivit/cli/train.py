"""python -m minivit train: from a command to a run folder."""

import argparse
from dataclasses import replace

from ..precision import PRECISIONS

RECIPE_OPTIONS = ("minutes", "epochs", "steps", "batch_size", "lr", "seed", "data", "device", "threads",
                  "precision")
EXAMPLES = """examples:
  python -m minivit train vit                        the variant "cifar" of ViT, in 4 minutes
  python -m minivit train resnet:cifar20 --epochs 5
  python -m minivit train --recipe vit_15min         a recipe of minivit/train/recipes, or your own FILE.py
  python -m minivit train --resume runs/vit-cifar-1  go on where a run was stopped
"""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "train", help="train a model", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a model and leave a run folder: config, metrics, curves, confusion matrix, checkpoint.\n"
                    "What is not given is taken from the recipe, or from the default recipe.")
    parser.add_argument("model", nargs="?", metavar="MODEL[:VARIANT]", help="as `python -m minivit models` lists them")
    parser.add_argument("--recipe", metavar="NAME", help="a file of minivit/train/recipes, or your own FILE.py")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive(float), metavar="M",
                        help="as many steps as fit, tests included; measured at the start (without a recipe 4)")
    length.add_argument("--epochs", type=positive(float), metavar="E", help="how often to go through the pictures")
    length.add_argument("--steps", type=positive(int), metavar="N", help="how many batches to train on")
    parser.add_argument("--batch-size", type=positive(int), metavar="B", help="pictures a step")
    parser.add_argument("--lr", type=positive(float), help="the highest learning rate")
    parser.add_argument("--seed", type=int, metavar="S", help="of everything random")
    parser.add_argument("--data", metavar="NAME", help="cifar10, cifar100, shapes10, a folder, or auto: CIFAR-10 where "
                                                       "it can be had, else shapes10")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where to compute; auto: on a GPU, if "
                                                                               "there is one")
    parser.add_argument("--threads", type=positive(int), metavar="T", help="CPU threads (default: one for each core)")
    parser.add_argument("--precision", choices=PRECISIONS, help="of matrix products: a GPU can be quicker at less")
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
    if args.resume:
        run = training.Run(args.resume)
        refuse_changes(args)
    else:
        recipe = chosen_recipe(args)
        run = training.Run(args.out or training.default_folder(recipe))
    try:
        if args.resume:
            training.resume(run.folder, save_every=args.save_every)
        else:
            training.train(recipe, run.folder, save_every=args.save_every)
    except KeyboardInterrupt:
        draw(run)
        raise
    draw(run)
    result = run.result()
    print(f"test accuracy {result['test_accuracy']:.1%} on {result['test_pictures']:,} pictures, after "
          f"{result['epoch']:.1f} epochs in {result['seconds'] / 60:.1f} minutes: see {run.folder}")
    print(f"next: python -m minivit predict {run.folder} PICTURE.png, or python -m minivit evaluate {run.folder}")


def chosen_recipe(args):
    """The recipe that is named, or the default one, changed by what the command line gives."""
    from ..train import Recipe, load_recipe
    recipe = load_recipe(args.recipe) if args.recipe else Recipe()
    changes = {name: getattr(args, name) for name in RECIPE_OPTIONS if getattr(args, name) is not None}
    if args.model:
        model, _, variant = args.model.partition(":")
        changes |= {"model": model, "variant": variant or "cifar"}
        if (changes["model"], changes["variant"]) != (recipe.model, recipe.variant):
            changes["settings"] = {}  # they were another model's
    elif not args.recipe:
        raise ValueError("train: name a model, as in `python -m minivit train vit`, or a --recipe")
    if changes.keys() & {"minutes", "epochs", "steps"}:
        changes = {"steps": None, "epochs": None} | changes
    return replace(recipe, **changes)


def refuse_changes(args):
    """A resumed run has its settings from its folder; anything else would not be the same run."""
    given = [name for name in ("model", "recipe", "out", *RECIPE_OPTIONS) if getattr(args, name) is not None]
    if given:
        raise ValueError(f"train --resume: the run has its settings from its folder; leave out {', '.join(given)}")


def draw(run):
    """The pictures of a run folder: curves of what there is, and of a complete run the confusion matrix."""
    from .. import viz
    from ..train.checkpoint import write_atomically
    metrics, result = run.metrics(), run.result()
    if metrics:
        write_atomically(run.folder / "curves.png", viz.png(viz.curves(metrics, run.folder.name)))
    if result:
        figure = viz.confusion_matrix(result["confusion"], run.config()["data"]["classes"])
        write_atomically(run.folder / "confusion.png", viz.png(figure))
