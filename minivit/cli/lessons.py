"""python -m minivit course, lesson: the map of the lessons; one of them read, or run."""


def add_commands(subparsers):
    """Register the commands."""
    course = subparsers.add_parser(
        "course", help="list the lessons", description="List the lessons by part, planned ones in brackets.")
    course.add_argument("--write", action="store_true",
                        help="write the map as well: lessons/README.md, with a picture from every notebook")
    course.set_defaults(run=list_lessons)
    lesson = subparsers.add_parser(
        "lesson", help="open a lesson in JupyterLab, or run it",
        description="Open a lesson in JupyterLab; or run it from its first cell to its last, which stores its outputs. "
                    "With MINIVIT_BUDGET=smoke in the environment, training is cut to seconds, and the lesson itself "
                    "stays as it is.")
    lesson.add_argument("lesson", metavar="LESSON", help="a number such as 6, a name such as vit, or a notebook")
    lesson.add_argument("--run", action="store_true", dest="execute",
                        help="run it without a browser, and show how far it is")
    lesson.add_argument("--out", metavar="FILE",
                        help="with --run: write here, not back into the lesson (a smoke run: into "
                             "NN_name.smoke.ipynb in this folder)")
    lesson.set_defaults(run=open_or_execute)


def list_lessons(args):
    """The command `course`."""
    from ..lessons.course import COURSE
    from ..lessons.overview import write_overview
    part = None
    for lesson in COURSE:
        if lesson.part != part:
            part = lesson.part
            print(part)
        title = f"{lesson.number} {lesson.name}"
        print(f"  {title if lesson.path.exists() else f'({title})':<22}{lesson.line}")
    if args.write:
        for path in write_overview():
            print(f"written: {path}")


def open_or_execute(args):
    """The command `lesson`."""
    import sys

    from ..lessons.course import locate
    path = locate(args.lesson)
    if args.out and not args.execute:
        raise ValueError("--out belongs to --run")
    if not args.execute:
        return open_in_jupyterlab(path)
    needs("nbclient", "running a lesson")
    from ..lessons import SMOKE_RUN, budget
    from ..lessons.execute import destination, execute
    out = destination(path, args.out)
    if budget(False, smoke=True):
        print(SMOKE_RUN)
    try:
        seconds = execute(path, out)
    except RuntimeError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"{seconds / 60:.1f} minutes; written: {out}")
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
        raise ValueError(f"{what} needs {package}: python -m pip install -r requirements-lessons.txt")
