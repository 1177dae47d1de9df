"""python -m minivit exercises, check, grade."""


def add_commands(subparsers):
    """Register the commands."""
    exercises = subparsers.add_parser(
        "exercises", help="build the exercises' notebooks from their sources",
        description="build: from exercises/source/NN_name.py the student's notebook, the solution, and the grader's "
                    "pristine copy. mutants: small slips made by machine from every solution, and those that no check "
                    "notices: each calls for a sharper check, or changes nothing.")
    exercises.add_argument("action", choices=["build", "mutants"])
    exercises.add_argument("numbers", nargs="*", metavar="NN", help="only these exercises (default: all)")
    exercises.set_defaults(run=lambda args: {"build": build_exercises, "mutants": try_mutants}[args.action](args))

    check = subparsers.add_parser(
        "check", help="check your own answers to an exercise",
        description="Run the answers of your notebook, and say for each of them what is right, what is not, and what "
                    "to look at first; at full marks, whether the outputs that it stores are what it gives. The exit "
                    "code is 0 only at full marks.")
    check.add_argument("exercise", metavar="EXERCISE", help="a number such as 05, or a notebook")
    check.add_argument("--hint", nargs="?", const="", metavar="ANSWER",
                       help="reveal only the next hint, for this answer or for the first that has not passed")
    check.set_defaults(run=check_exercise)

    grade = subparsers.add_parser(
        "grade", help="grade a class",
        description="Grade notebooks, folders of them, or an archive from Moodle or Canvas, each in a sandbox, with "
                    "inputs that no student has seen. What is written: docs/teachers.md.")
    grade.add_argument("submissions", metavar="SUBMISSIONS", help="a folder, a notebook, or a zip archive")
    grade.add_argument("--out", required=True, metavar="RESULTS", help="the folder for the results")
    grade.add_argument("--jobs", type=int, default=2, help="submissions at a time (default 2)")
    grade.add_argument("--roster", metavar="CSV", help="the class list: Moodle's worksheet or Canvas' gradebook")
    grade.add_argument("--seed", type=int, help="the secret from which inputs are drawn (default: a new one, recorded)")
    grade.add_argument("--resume", action="store_true", help="go on with an interrupted grading")
    grade.add_argument("--trust-submissions", action="store_true",
                       help="run without a sandbox, with your own rights: only for code that you trust")
    grade.set_defaults(run=grade_class)


def build_exercises(args):
    """Write the notebooks and say which have changed."""
    from .build import build
    for path, changed in build(numbers=args.numbers):
        print(f"{'written' if changed else 'as it was'}: {path}")


def try_mutants(args):
    """Say how many slips each answer's check notices, and list those that it does not."""
    from .exercise import load_exercise, numbers
    from .expected import survivors
    from .mutate import mutants
    for number in args.numbers or numbers():
        exercise = load_exercise(number)
        for name, answer in exercise.answers.items():
            made = mutants(answer.reference)
            alive = survivors(exercise, name, mutants=made)
            print(f"{number}.{name}: {len(made) - len(alive)} of {len(made)} noticed", *alive, sep="\n    not: ")


def check_exercise(args):
    """Print the report, or the next hint alone; 0 at full marks, 1 otherwise."""
    from .check import check, locate, next_hint, remember, report, stored
    from .verdict import NOT_GRADED
    path = locate(args.exercise)
    if args.hint is not None:
        hints = next_hint(path, args.hint or None)
        print("\n".join(hints or ["nothing is left to hint at"]))
        return 1 if hints else 0
    print(f"checking {path}")
    exercise, verdicts, flags = check(path)
    print("\n".join(report(exercise, verdicts, flags)))
    remember(path, exercise, verdicts)
    if any(verdict.status == NOT_GRADED for verdict in verdicts.values()):
        return 2
    if any(verdict.points != verdict.possible for verdict in verdicts.values()):
        return 1
    print("\n".join(stored(path)))
    return 0


def grade_class(args):
    """Grade, write every report, print the table."""
    from pathlib import Path

    from . import feedback, reports
    from .grade import grade
    from .students import plain, read_roster, strangers
    if args.jobs < 1:
        raise ValueError(f"--jobs: {args.jobs}; at least 1 is expected")
    roster = read_roster(args.roster) if args.roster else []
    if args.trust_submissions:
        print("warning: every answer may do what you may do; limits on time and memory protect against accidents only")
    records, complaints = grade(args.submissions, args.out, jobs=args.jobs, seed=args.seed, resume=args.resume,
                                trust=args.trust_submissions)
    out = Path(args.out)
    reports.write_all(out, records, roster)
    feedback.write(out / "feedback", records)
    print("\n".join(reports.table(records)))
    for complaint in complaints:
        print(f"look at: {plain(complaint)}")
    if roster:
        print("\n".join(strangers(records, roster)))
    print(f"{len(records)} submissions; the results are in {out}")
    missed = [record for record in records if not reports.graded(record)]
    for record in missed:
        print(f"not graded: {plain(record['student'])}: {plain(reports.why_not(record))}")
    if missed:
        print(f"{len(missed)} submissions could not be graded, for no fault of their own: run the same command again, "
              "with --resume")
    return 2 if missed else 0
