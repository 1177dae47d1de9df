"""python -m minivit draw: the architecture of a model, drawn from what happens in it."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "draw", help="draw a model's architecture into an SVG file",
        description="Draw a model into an SVG file that follows light and dark pages: boxes and arrows with the shapes "
                    "that flow, repeated blocks once with their count, residual additions as arrows round a box.")
    parser.add_argument("model", metavar="MODEL[:VARIANT]", help="as `python -m minivit models` lists them "
                                                                 "(default variant: cifar)")
    parser.add_argument("--out", metavar="FILE", help="the file (default: MODEL_VARIANT.svg in this folder)")
    parser.add_argument("--level", type=int, default=1, metavar="N",
                        help="0: blocks closed; 1: blocks open (default); 2 and more: what is in them open too")
    parser.add_argument("--highlight", action="append", default=[], metavar="NAME",
                        help="colour a module (attention, blocks.0.mlp), a class or an operation; may be repeated")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="height and width, if not the variant's own")
    parser.set_defaults(run=draw)


def draw(args):
    """Write one drawing."""
    from pathlib import Path

    from .. import viz
    from ..files import write_atomically
    from ..models import create
    from .lessons import needs
    needs("drawsvg", "drawing a model")
    name, _, variant = args.model.partition(":")
    settings = {"image_size": args.image_size} if args.image_size else {}
    model = create(name, variant or "cifar", **settings)
    drawing = viz.architecture(model, args.highlight, args.level)
    path = Path(args.out or f"{name}_{variant or 'cifar'}.svg").resolve()
    if path.is_dir():
        raise ValueError(f"--out: expected a file, got the folder {path}")
    write_atomically(path, drawing.svg)
    print(f"written: {path}")
