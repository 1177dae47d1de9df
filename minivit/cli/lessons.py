"""python -m minivit lesson: read a lesson, or run it."""


def add_commands(subparsers):
    """Register the commands."""
    lesson = subparsers.add_parser(
        "lesson", help="open a lesson in JupyterLab, or run it",
        description="Open a lesson in JupyterLab; or run it from its first cell to its last, which stores its outputs. "
                    "With MINIVIT_BUDGET=smoke in the environment, training is cut to seconds.")
    lesson.add_argument("lesson", metavar="LESSON", help="a number such as 5, a name such as vit, or a notebook")
    lesson.add_argument("--run", action="store_true", dest="execute",
                        help="run it without a browser, and show how far it is")
    lesson.add_argument("--out", metavar="FILE", help="with --run: write here, not back into the lesson")
    lesson.set_defaults(run=open_or_execute)


def open_or_execute(args):
    """The command `lesson`."""
    import sys
    from pathlib import Path

    from ..lessons.course import locate
    path = locate(args.lesson)
    if args.out and not args.execute:
        raise ValueError("--out belongs to --run")
    if not args.execute:
        return open_in_jupyterlab(path)
    needs("nbclient", "running a lesson")
    from ..lessons.execute import execute
    try:
        seconds = execute(path, args.out and Path(args.out))
    except RuntimeError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"{seconds / 60:.1f} minutes; written: {args.out or path}")
    return 0


def open_in_jupyterlab(path):
    """Start JupyterLab at the repository with a notebook open, until it is stopped; returns its exit code."""
    import subprocess
    import sys

    needs("jupyterlab", "opening a lesson")
    from ..lessons.course import FOLDER
    from ..lessons.execute import kernel_environment
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(path.resolve())], cwd=FOLDER.parent,
                          env=kernel_environment()).returncode


def needs(package, what):
    """Raise an error that tells what to install, unless the package is there."""
    from importlib.util import find_spec
    if find_spec(package) is None:
        raise ValueError(f"{what} needs {package}: python -m pip install {package}")
