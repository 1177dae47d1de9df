"""python -m minivit zoo: all architectures side by side."""


def add_commands(subparsers):
    """Register the command."""
    from .train import positive
    parser = subparsers.add_parser(
        "zoo", help="train all architectures for the same minutes, and write docs/zoo.md",
        description="Train the architectures that are named, or all that classify, for four minutes a seed by one "
                    "recipe, each with the best of three learning rates, and write docs/zoo.md. Stopped, it goes on "
                    "where it was; started several times, also on other machines that share the folder, it divides "
                    "the runs. A run in the background, on a busy machine, ends with the same bits: how many steps it "
                    "has follows from the step time that --time has measured on a quiet one.")
    parser.add_argument("architecture", nargs="*", help="only these")
    parser.add_argument("--seeds", type=positive(int), default=3, metavar="N", help="how many seeds (default 3)")
    parser.add_argument("--folder", default="runs/zoo", help="where the runs are (default runs/zoo)")
    parser.add_argument("--data", default="cifar10", metavar="NAME", help="default cifar10")
    parser.add_argument("--time", action="store_true", help="only measure step times, on a quiet machine")
    parser.set_defaults(run=zoo)


def zoo(args):
    """The command `zoo`; returns 1 if other processes are still at work on some of the runs."""
    from pathlib import Path

    from ..lessons import zoo as runs
    from ..lessons.zoo_page import GROUPS, write
    from ..names import expect
    everyone = [name for names in GROUPS.values() for name in names]
    for name in args.architecture:
        expect("model", name, everyone)
    names = args.architecture or everyone
    if args.time:
        for name in names:
            found = runs.measure_times(name)
            print(f"{name:<16}{1e3 * found['step']:>8.1f} ms a step{found['pictures_a_second']:>8,} pictures a second",
                  flush=True)
        return 0
    left = runs.work(names, tuple(range(args.seeds)), Path(args.folder), args.data)
    records = runs.read_records()
    if records:
        print(f"written: {write(records)}")
    if left:
        print(f"{left} runs are in the hands of other processes, or wait for them")
    return 1 if left else 0
