"""python -m minivit results: what trained models reached, and what became of the claims of papers."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "results", help="the table of trained models, the ledger of claims, and how a run gets into the table",
        description="Print the table of the README, and write it there, and docs/claims.md. Both are made from the "
                    "records in docs/results and from what the lessons found, which their outputs hold; with --add, a "
                    "complete run of a recipe gets a record first.")
    parser.add_argument("--add", metavar="RUN", help="the folder of a run")
    parser.add_argument("--recipe", metavar="NAME", help="with --add: the recipe of minivit/train/recipes that it ran")
    parser.add_argument("--model", metavar="WORDS", help="with --add: the model in words, for the table")
    parser.add_argument("--quiet", action="store_true",
                        help="with --add: the run was one in the background, and now the machine is quiet: its minutes "
                             "are those of as many steps as they are measured now")
    parser.set_defaults(run=results)


def results(args):
    """The command `results`."""
    from ..lessons import claims
    from ..lessons.outcome import read_lessons
    from ..lessons.results import ROOT, all_records, draw_kept, record, table, update, write_record
    if args.add:
        if not (args.recipe and args.model):
            raise ValueError("results --add needs the --recipe of the run, and the --model in words")
        print(f"written: {write_record(record(args.add, args.recipe, args.model, quiet=args.quiet))}")
        print(f"written: {draw_kept()}")
    lessons = read_lessons()
    records = all_records(lessons)
    print(table(records), end="")
    without = [name for name, found in lessons.items() if not found]
    if without:
        print(f"nothing found in the outputs of {', '.join(without)}: run them again")
    if update(ROOT / "README.md", records):
        print(f"written: {ROOT / 'README.md'}")
    if claims.write(lessons):
        print(f"written: {claims.PAGE}")
