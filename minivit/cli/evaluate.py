"""python -m minivit evaluate: how good a trained model is, and how good its vectors are."""

import argparse

from .runs import device_of, threads_of, trained_task
from .train import positive, tested_in_words

EXAMPLES = """examples:
  python -m minivit evaluate runs/vit-cifar-1                   accuracy in all and class by class
  python -m minivit evaluate runs/mae-1 --probe linear          the encoder, fixed, under one linear map
  python -m minivit evaluate runs/mae-1 --probe knn --beside runs/vit-cifar-1
  python -m minivit evaluate --weights timm/vit_tiny_patch16_224.augreg_in21k --probe knn --pictures 2000
"""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate", help="test a trained model, or the vectors of an encoder",
        usage="%(prog)s RUN [options] or %(prog)s --weights FILE --probe PROBE [options]", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="What the task of a run measures on the test set. With --probe, what simple classifiers make of\n"
                    "the vectors that an encoder gives for the training pictures, beside a random encoder.")
    parser.add_argument("folder", metavar="RUN", nargs="?", help="the folder of a run")
    parser.add_argument("--data", metavar="NAME", help="another data set; with the same classes, but for a probe "
                                                       "(default: the run's; for --weights auto)")
    parser.add_argument("--probe", choices=["knn", "linear"],
                        help="classify the test pictures by the 20 nearest training pictures, or by one linear map")
    parser.add_argument("--weights", metavar="FILE",
                        help="for a probe, not a run: an official checkpoint, its folder, or its name on the hub")
    parser.add_argument("--beside", metavar="RUN", action="append", default=[],
                        help="for a probe: another run to measure as well, as a supervised one; may be repeated")
    parser.add_argument("--pictures", metavar="N", type=positive(int),
                        help="for a probe: at most N pictures of the training set, and N of the test set")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                        help="where to compute (default auto)")
    parser.set_defaults(run=evaluate)


def evaluate(args):
    """Test a run's task, or probe its encoder."""
    if args.probe:
        return compare(args)
    if args.weights or args.beside or args.pictures or not args.folder:
        raise ValueError("evaluate: expected the folder of a run; --weights, --beside and --pictures belong to --probe")
    return test(args)


def test(args):
    """Print what the run's task measures on the test set; of classification also the accuracy of each class."""
    from .. import data
    from ..train import Threads
    from ..train.measure import evaluated
    run, task, about_data, device = trained_task(args.folder, args)
    _, test_set = data.load(args.data or run.recipe().data)
    if list(test_set.classes) != about_data["classes"]:
        raise ValueError(f"data: {test_set.name} has other classes than {about_data['name']}, which the run was "
                         "trained on")
    samples = data.Samples(test_set, mean=about_data["mean"], std=about_data["std"], device=device)
    with Threads(threads_of(device)) as threads:
        line = evaluated(task, samples, threads, tables=True)
    for name, table in line.items():
        if name == "confusion":
            print_classes(test_set.classes, table)
        elif isinstance(table, list):
            print_table(name, table)
    print(f"{tested_in_words(line)} of {test_set.name}")


def print_classes(classes, confusion):
    """How many of each class are right, and what the others are taken for."""
    import numpy as np
    confusion = np.array(confusion)                                   # (K, K)
    right = confusion.diagonal()
    wrong = confusion - np.diag(right)
    for name, count, correct, row in zip(classes, confusion.sum(axis=1), right, wrong, strict=True):
        mistake = f"   most often taken for {classes[row.argmax()]}" if row.any() else ""
        print(f"{name:<14}{correct / max(count, 1):>7.1%}{mistake}")


def print_table(name, table):
    """What a task measures for each of several things: [[the thing, a number], ...]."""
    for thing, number in table:
        print(f"{name} {thing:<14}{number:>7.3f}")


def compare(args):
    """Print the accuracy of a probe on the vectors of an encoder, of its random twin and of the runs beside it."""
    from .. import data
    from ..train import Run, Threads, probe
    if bool(args.folder) == bool(args.weights):
        raise ValueError("evaluate --probe: expected either the folder of a run or --weights FILE")
    device, recipe = device_of(args), Run(args.folder).recipe() if args.folder else None
    encoders = encoders_of(args, device)  # told before a long download
    train_set, test_set = data.load(args.data or (recipe.data if recipe else "auto"))
    if args.pictures:
        train_set, test_set = train_set.few(args.pictures), test_set.few(args.pictures)
    print(f"{args.probe}: vectors of {len(train_set):,} training pictures of {train_set.name}, accuracy on "
          f"{len(test_set):,} test pictures")
    width = max(len(name) for name, _, _ in encoders)
    with Threads(threads_of(device)) as threads:
        for name, model, samples_of in encoders:
            accuracy = probe(model.to(device), samples_of(train_set), samples_of(test_set), threads, kind=args.probe)
            print(f"{name:<{width}}{accuracy:>8.1%}", flush=True)


def encoders_of(args, device):
    """[(name, model, what makes samples of a data set)]: what is asked for, its random twin, what stands beside."""
    from functools import partial

    from ..data import Samples
    from ..interop import load
    from ..interop.predict import Prepared
    from ..train import Run, load_model, random_twin
    from ..train.start import build

    def of_run(folder):
        run = Run(folder)
        about = run.about_data()
        return run, partial(Samples, mean=about["mean"], std=about["std"], device=device)
    if args.weights:
        model = load(args.weights)
        samples_of = partial(Prepared, preprocessing=model.pretrained.preprocessing, device=device)
        found = [(args.weights, model, samples_of), ("its random twin", random_twin(model), samples_of)]
    else:
        run, samples_of = of_run(args.folder)
        twin = build(run.recipe(), run.about_data()).backbone
        found = [(args.folder, load_model(run), samples_of), ("its random twin", twin, samples_of)]
    for folder in args.beside:
        run, samples_of = of_run(folder)
        found.append((folder, load_model(run), samples_of))
    return found
