"""python -m minivit models, info, device: what there is, what it costs, and what it runs on."""

import sys


def add_commands(subparsers):
    """Register the commands."""
    models = subparsers.add_parser(
        "models", help="list every architecture and variant with its costs, and every task",
        description="Every architecture with its variants, and every task. Of the architectures that are named, every "
                    "variant with its parameters and multiply-adds for one picture at its resolution, counted by "
                    "running the shapes.")
    models.add_argument("architecture", nargs="*", help="what every variant of these costs")
    models.set_defaults(run=list_all)
    info = subparsers.add_parser(
        "info", help="the layers of a model with shapes, parameters and multiply-adds",
        description="A table of a model's layers: the shape that goes in and comes out, parameters, multiply-adds.")
    info.add_argument("architecture")
    info.add_argument("variant", nargs="?", default="cifar")
    info.add_argument("--image-size", type=int, metavar="PIXELS", help="height and width, if not the variant's own")
    info.add_argument("--depth", type=int, default=3, help="how far to look into modules of modules (default 3)")
    info.set_defaults(run=show_layers)
    device = subparsers.add_parser(
        "device", help="processor, BLAS, product rate, GPU, and what is missing for what",
        description="What this machine gives, measured; which settings hold it below what it can do; and what is "
                    "missing for speed, the GPU, lessons, tests, comparisons and CIFAR-10, with the command for it.")
    device.set_defaults(run=show_device)


def cost(architecture, variant, **settings):
    """(Count, (height, width)) of a variant for one picture at its resolution, and one sentence if it reads any."""
    import numpy as np

    from ..counting import count
    from ..models import create
    model = create(architecture, variant, **settings)
    sentence = [np.zeros((1, model.longest), int)] if hasattr(model, "longest") else []
    return count(model, (1, *model.image_size, 3), *sentence), model.image_size


def list_all(args):
    """Print the tables of `models`."""
    from ..models import list_models
    from ..names import expect
    models = list_models()
    for name in args.architecture:
        expect("model", name, models)
    if args.architecture:
        list_costs({name: models[name] for name in args.architecture})
    else:
        list_architectures(models)
        list_what_is_learned()
    return 0


def list_architectures(models):
    """Print each architecture in a line, with the cost of its variant "cifar"."""
    print(f"{'model':<16}{'cifar: parameters':>18}{'multiply-adds':>16}  others: python -m minivit models MODEL")
    for architecture, variants in models.items():
        counted, _ = cost(architecture, "cifar")
        others = " ".join(variant for variant in variants if variant != "cifar")
        print(f"{architecture:<16}{counted.parameters:>18,}{counted.multiply_adds / 1e6:>14.1f} M  {others}")


def list_costs(models):
    """Print each variant of some architectures in a line, with its cost."""
    print(f"{'model':<16}{'variant':<12}{'pixels':>11}{'parameters':>16}{'multiply-adds':>16}")
    for architecture, variants in models.items():
        for variant in variants:
            counted, (height, width) = cost(architecture, variant)
            print(f"{architecture:<16}{variant:<12}{f'{height} x {width}':>11}{counted.parameters:>16,}"
                  f"{counted.multiply_adds / 1e9:>14.3f} G")


def list_what_is_learned():
    """Print the tasks, each with the first line of its file."""
    from ..tasks import find_task, list_tasks
    print(f"\n{'task':<16}python -m minivit train TASK --model MODEL:VARIANT")
    for name in list_tasks():
        print(f"{name:<16}{sys.modules[find_task(name).__module__].__doc__.partition(chr(10))[0]}")


def show_layers(args):
    """Print the table of `info`."""
    settings = {"image_size": args.image_size} if args.image_size else {}
    counted, (height, width) = cost(args.architecture, args.variant, **settings)
    rows = [("layer", "", "in", "out", "parameters", "multiply-adds")]
    for row in counted.rows:
        if row.depth <= args.depth:
            name = "  " * row.depth + (row.name.rpartition(".")[2] if row.name else args.architecture)
            rows.append((name, f"{type(row.module).__name__}({row.module.describe()})", _shape(row.inputs),
                         _shape(row.output), f"{row.parameters:,}", f"{row.multiply_adds:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, module, inputs, output, parameters, multiply_adds in rows:
        print(f"{name:<{widths[0]}}  {module:<{widths[1]}}  {inputs:<{widths[2]}}  {output:<{widths[3]}}  "
              f"{parameters:>{widths[4]}}  {multiply_adds:>{widths[5]}}".rstrip())
    print(f"\n{counted.parameters:,} parameters, {counted.multiply_adds:,} multiply-adds for one picture of "
          f"{height} x {width} pixels")
    return 0


def show_device(args):
    """Print the report of `device`."""
    from ..device import needs, report
    for line in [*report(), *needs(), f"data        {cifar10_in_words()}"]:
        print(line)
    return 0


def cifar10_in_words():
    """Where CIFAR-10 is, or how to get it."""
    from ..data import cache_folder
    from ..data.cifar import there
    try:
        folder = cache_folder()
    except OSError as error:
        return str(error)
    if there("cifar10", folder):
        return f"CIFAR-10 is in {folder}"
    return f"shapes10 is built in; CIFAR-10 is not in {folder}; python -m minivit data cifar10 fetches it (170 MB)"


def _shape(shape):
    return " x ".join(map(str, shape[1:])) if len(shape) > 1 else ""
