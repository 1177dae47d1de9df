"""python -m minivit predict: what a trained model sees in a picture."""

import itertools
import sys
from pathlib import Path

from . import describe
from .train import positive


def add_commands(subparsers):
    """Register the command."""
    predict = subparsers.add_parser(
        "predict", help="classify picture files, or show what else the model says of them",
        usage="%(prog)s RUN IMAGE ... or %(prog)s --weights FILE IMAGE ...",
        description="Probabilities of the classes for each picture. Of a run's model, the attention of the last layer "
                    "is drawn too, as a PNG file; of other tasks what belongs to them: masks, boxes, sentences.")
    predict.add_argument("paths", metavar="RUN IMAGE", nargs="+",
                         help="the folder of a run, and picture files of any kind; they are cropped and resized")
    predict.add_argument("--weights", metavar="FILE",
                         help="not a run: an official checkpoint, its folder, or its name on the Hugging Face hub")
    predict.add_argument("--top", type=positive(int), default=5, metavar="K",
                         help="how many classes to print (default 5)")
    predict.add_argument("--out", metavar="FOLDER", help="where the attention goes (default RUN/attention)")
    predict.set_defaults(run=classify)
    predict.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                         help="where to compute (default auto)")


def classify(args):
    """Print the most probable classes of every picture file; returns 2 if one of them cannot be read."""
    unread = []
    if args.weights:
        classify_with_weights(args, unread)
    else:
        folder, *images = args.paths
        if not images:
            raise ValueError("IMAGE: expected picture files after the folder of a run, or after --weights FILE")
        classify_with_run(folder, images, args, unread)
    return 2 if unread else 0


def readable(paths, unread):
    """(path, picture) of every file that can be read; the others are told, and added to the list `unread`."""
    from ..data import read_picture
    for path in paths:
        try:
            picture = read_picture(path)
        except (OSError, ValueError) as error:
            print(f"minivit: {describe(error)}", file=sys.stderr)
            unread.append(path)
        else:
            yield path, picture


def classify_with_weights(args, unread):
    """By an official model."""
    from ..interop import load, predict_classes
    model = load(args.weights).to(device_of(args))
    for path, picture in readable(args.paths, unread):
        print(f"{path}: {answer_of(predict_classes(model, picture, args.top))}")


def classify_with_run(folder, paths, args, unread):
    """By the model of a run, whose attention is written to a file; of another task, what its pictures show."""
    import numpy as np

    from .. import data, viz
    from ..files import write_atomically
    run, task, about_data, device = trained_task(folder, args)
    found = [(path, fitted(picture, about_data["image_size"])) for path, picture in readable(paths, unread)]
    if not found:
        return
    pictures = np.stack([picture for _, picture in found])
    samples = data.Samples(data.Dataset(pictures, name="the pictures"), mean=about_data["mean"], std=about_data["std"],
                           device=device)
    if not hasattr(task, "logits"):
        show_pictures(run, task, samples, args, [path for path, _ in found])
        return
    model, target, written = task.backbone, Path(args.out or run.folder / "attention"), set()
    grid = getattr(model, "grid", None)
    for (path, picture), probabilities in zip(found, probabilities_of(task, samples), strict=True):
        best = np.argsort(-probabilities)[:args.top]
        answer = answer_of([(about_data["classes"][k], probabilities[k]) for k in best])
        print(f"{path}: {answer}")
        maps = grid and viz.attention_maps(model, samples.normalised(picture[None]))
        if maps:
            target.mkdir(parents=True, exist_ok=True)
            file = target / free_name(Path(path).stem, written)
            write_atomically(file, viz.png(viz.attention_picture(picture, maps[-1][0], grid, answer)))
            print(f"    attention of the last layer: {file}")
        else:
            print("    this model has no attention to show")


def answer_of(best):
    """cat 93.1%, dog 5.0% ..."""
    return ", ".join(f"{name} {probability:.1%}" for name, probability in best)


def free_name(stem, taken):
    """STEM.png, or where an earlier picture has that name, STEM-2.png, -3 ...; `taken` remembers them."""
    names = itertools.chain([f"{stem}.png"], (f"{stem}-{number}.png" for number in itertools.count(2)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def probabilities_of(task, samples):
    """The probabilities of the classes for each picture.    -> float32 (N, K)"""
    from ..ops import softmax
    from ..train import Threads
    from ..train.measure import going_over
    with Threads(threads_of(samples.device)) as threads, going_over(task, samples, threads, progress=False) as over:
        return softmax(task.logits(samples, over)).numpy()


def show_pictures(run, task, samples, args, paths):
    """Write what a task that names no classes makes of the pictures, and print what it says of them."""
    from .. import viz
    from ..files import write_atomically
    rows = task.pictures(samples, slice(None))
    if not rows:
        raise ValueError(f"predict: {run.recipe().task} has nothing to show of a picture; fine-tune its model first: "
                         f"python -m minivit train {run.recipe().model} --init {run.folder}")
    for row in rows.values():
        for path, text in zip(paths, getattr(row, "texts", None) or (), strict=False):
            print(f"{path}: {text}")
    folder = Path(args.out or run.folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "predicted.png"
    write_atomically(file, viz.png(viz.rows_of_pictures(rows)))
    print(f"{', '.join(rows)}: {file}")


def trained_task(folder, args):
    """(run, task, what its data were, device) of the run in a folder."""
    from ..train import Run, load_task
    run, device = Run(folder), device_of(args)
    return run, load_task(run).to(device), run.about_data(), device


def device_of(args):
    """Where to compute."""
    from ..backend import default_device
    return default_device() if args.device == "auto" else args.device


def threads_of(device):
    """As many as there are cores; a GPU is fed by one."""
    from ..device import cores
    return cores() if device == "cpu" else 1


def fitted(picture, size):
    """A picture, cropped to the right proportions and resized.    PIL.Image -> uint8 (height, width, 3)"""
    import numpy as np
    from PIL import Image, ImageOps
    height, width = size
    return np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS))
