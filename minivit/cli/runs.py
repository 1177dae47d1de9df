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
        usage="%(prog)s RUN IMAGE ... or %(prog)s --weights FILE IMAGE ...",
        description="Probabilities of the classes for each picture. Of a run's model, the attention of the last layer "
                    "is drawn too, as a PNG file.")
    predict.add_argument("paths", metavar="RUN IMAGE", nargs="+",
                         help="the folder of a run, and picture files of any kind; they are cropped and resized")
    predict.add_argument("--weights", metavar="FILE",
                         help="not a run: an official checkpoint, its folder, or its name on the Hugging Face hub")
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
    run, model, facts, device = trained_model(args.folder, args)
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
    """Print the most probable classes of every picture file."""
    if args.weights:
        classify_with_weights(args)
    else:
        folder, *images = args.paths
        if not images:
            raise ValueError("IMAGE: expected picture files after the folder of a run, or after --weights FILE")
        classify_with_run(folder, images, args)


def classify_with_weights(args):
    """By an official model."""
    from ..interop import load, predict
    model = load(args.weights).to(device_of(args))
    for path in args.paths:
        print(f"{path}: {answer_of(predict(model, path, args.top))}")


def classify_with_run(folder, images, args):
    """By the model of a run, whose attention is written to a file."""
    import numpy as np

    from .. import data, viz
    from ..backend import to_device
    from ..ops import softmax
    from ..train import Threads, predict
    from ..train.checkpoint import write_atomically
    run, model, facts, device = trained_model(folder, args)
    pictures = np.stack([read_picture(path, facts["image_size"]) for path in images])
    settings = {"mean": facts["mean"], "std": facts["std"]}
    with Threads(threads_of(device)) as threads:
        logits = predict(model, pictures, threads=threads, device=device, progress=False, **settings)
    grid, target, written = getattr(model, "grid", None), Path(args.out or run.folder / "attention"), set()
    for path, picture, probabilities in zip(images, pictures, softmax(logits).numpy(), strict=True):
        best = np.argsort(-probabilities)[:args.top]
        answer = answer_of([(facts["classes"][k], probabilities[k]) for k in best])
        print(f"{path}: {answer}")
        maps = grid and viz.attention_maps(model, to_device(data.normalise(picture[None], **settings), device))
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


def trained_model(folder, args):
    """(run, model, facts about its data, device) of the run in a folder."""
    from ..train import Run, load_model
    run, device = Run(folder), device_of(args)
    facts = run.config()["data"]
    return run, load_model(run).to(device), facts, device


def device_of(args):
    """Where to compute."""
    from ..backend import default_device
    return default_device() if args.device == "auto" else args.device


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
