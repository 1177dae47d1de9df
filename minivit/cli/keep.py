"""python -m minivit keep: a trained model for the lessons."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "keep", help="keep a complete run as a trained model for the lessons",
        description="Copy a complete run to lessons/weights/NAME: its config, its metrics, and its weights as float16, "
                    "at most 3 MB. In a lesson, minivit.lessons.trained(NAME) loads it.")
    parser.add_argument("folder", metavar="RUN", help="the folder of the run")
    parser.add_argument("--name", required=True, help="what lessons call it: the name of its recipe")
    parser.set_defaults(run=keep_run)


def keep_run(args):
    """The command `keep`."""
    from ..lessons.weights import keep
    from ..train import Run
    copy = keep(Run(args.folder), args.name)
    print(f"written: {copy.folder} ({copy.checkpoint_path.stat().st_size:,} bytes)")
