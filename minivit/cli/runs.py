"""python -m minivit evaluate, predict: what a trained model knows."""

import itertools
from pathlib import Path


def add_commands(subparsers):
    """Register the commands."""
    evaluate = subparsers.add_parser(
        "evaluate", help="test a trained model", description="Accuracy on the test set, in all and class by class.")
    evaluate.add_argument("folder", metavar="RUN", help="the folder of a run")
    evaluate.add_argument("--data", metavar="NAME", help="another data set with the same classes (default: the run's)")
    evaluate.set_defaults(run=test)
    predict = subparsers.add_parser(
        "predict", help="classify picture files, and show where the model looks",
        description="Probabilities of the classes for each picture, and the attention of the last layer as a PNG file.")
    predict.add_argument("folder", metavar="RUN", help="the folder of a run")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="any picture file; it is cropped and resized")
    predict.add_argument("--top", type=int, default=5, metavar="K", help="how many classes to print (default 5)")
    predict.add_argument("--out", metavar="FOLDER", help="where the attention goes (default RUN/attention)")
    predict.set_defaults(run=classify)
    for parser in (evaluate, predict):
        parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                            help="where to compute (default auto)")


def test(args):
    """Print the accuracy, class by class and in all."""
    import numpy as np

    from .. import data
    from ..train import Threads, evaluate
    run, model, facts, device = trained_model(args)
    _, test_set = data.load(args.data or run.recipe().data)
    if list(test_set.classes) != facts["classes"]:
        raise ValueError(f"data: {test_set.name} has other classes than {facts['name']}, which the run was trained on")
    with Threads(threads_of(device)) as threads:
        loss, accuracy, confusion = evaluate(model, test_set, threads=threads, mean=facts["mean"], std=facts["std"],
                                             device=device)
    right = confusion.diagonal()
    wrong = confusion - np.diag(right)
    for name, count, correct, row in zip(test_set.classes, confusion.sum(axis=1), right, wrong, strict=True):
        mistake = f"   most often taken for {test_set.classes[row.argmax()]}" if row.any() else ""
        print(f"{name:<14}{correct / max(count, 1):>7.1%}{mistake}")
    print(f"test accuracy {accuracy:.1%}, cross-entropy {loss:.3f}, on {len(test_set):,} pictures of {test_set.name}")


def classify(args):
    """Print the most probable classes of every picture file, and write its attention."""
    import numpy as np

    from .. import data, viz
    from ..backend import to_device
    from ..ops import softmax
    from ..train import Threads, predict
    from ..train.checkpoint import write_atomically
    run, model, facts, device = trained_model(args)
    pictures = np.stack([read_picture(path, facts["image_size"]) for path in args.images])
    settings = {"mean": facts["mean"], "std": facts["std"]}
    with Threads(threads_of(device)) as threads:
        logits = predict(model, pictures, threads=threads, device=device, progress=False, **settings)
    grid, folder, written = getattr(model, "grid", None), Path(args.out or run.folder / "attention"), set()
    for path, picture, probabilities in zip(args.images, pictures, softmax(logits).numpy(), strict=True):
        best = np.argsort(-probabilities)[:args.top]
        answer = ", ".join(f"{facts['classes'][k]} {probabilities[k]:.1%}" for k in best)
        print(f"{path}: {answer}")
        maps = grid and viz.attention_maps(model, to_device(data.normalise(picture[None], **settings), device))
        if maps:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / free_name(Path(path).stem, written)
            write_atomically(file, viz.png(viz.attention_picture(picture, maps[-1][0], grid, answer)))
            print(f"    attention of the last layer: {file}")
        else:
            print("    this model has no attention to show")


def free_name(stem, taken):
    """STEM.png, or where an earlier picture has that name, STEM-2.png, -3 ...; `taken` remembers them."""
    names = itertools.chain([f"{stem}.png"], (f"{stem}-{number}.png" for number in itertools.count(2)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def trained_model(args):
    """(run, model, facts about its data, device) of a command's arguments."""
    from ..backend import default_device
    from ..train import Run, load_model
    run = Run(args.folder)
    facts, device = run.config()["data"], default_device() if args.device == "auto" else args.device
    return run, load_model(run).to(device), facts, device


def threads_of(device):
    """As many as there are cores; a GPU is fed by one."""
    from ..device import cores
    return cores() if device == "cpu" else 1


def read_picture(path, size):
    """A picture file, upright, cropped to the right proportions and resized.    -> uint8 (height, width, 3)"""
    import numpy as np
    from PIL import Image, ImageOps
    height, width = size
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS))
