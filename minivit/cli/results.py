"""python -m minivit results: what trained models reached."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "results", help="the table of trained models, and how a run gets into it",
        description="Print the table of the README, and write it there. It is made from the records in docs/results "
                    "and from the outputs of the lessons; with --add, a complete run of a recipe gets a record first.")
    parser.add_argument("--add", metavar="RUN", help="the folder of a run")
    parser.add_argument("--recipe", metavar="NAME", help="with --add: the recipe of minivit/train/recipes that it ran")
    parser.add_argument("--model", metavar="WORDS", help="with --add: the model in words, for the table")
    parser.set_defaults(run=results)


def results(args):
    """The command `results`."""
    from ..lessons.lesson_results import read_lesson_results
    from ..lessons.results import ROOT, read_records, record, table, update, write_record
    if args.add:
        if not (args.recipe and args.model):
            raise ValueError("results --add needs the --recipe of the run, and the --model in words")
        print(f"written: {write_record(record(args.add, args.recipe, args.model))}")
    records = read_records() + read_lesson_results()
    print(table(records), end="")
    if update(ROOT / "README.md", records):
        print(f"written: {ROOT / 'README.md'}")
