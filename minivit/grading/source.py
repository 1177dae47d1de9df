"""The source of an exercise, in jupytext's percent format, read into the pristine notebook.

    # %% [markdown] minutes=50                   first cell: how long it took, from the lesson alone; or "estimated 50"
    # %% answer="softmax" kind="retype"          the reference, between `# solution: what to do` and `# end`
    # %% ... forbid="einsum tensordot"           what it may not use
    # %% ... formula=true                        one that looks like a numeric difference is flagged
    # %% ... kind="debug" bug="wrong_axis"       this mutant is what the student gets, to be mended
    # %% check="softmax" points=15 atol=1e-6     SEED = 3, inputs drawn from it, show(...)
    # %% check="reach" points=10 step=0.01       a value of kind "measure" or "read": no SEED; right if it rounds alike
    # %% figure="what it shows"                  a picture or numbers to read: not graded, its output is stored
    # %% [markdown] hint="softmax"               one hint; several cells are shown one after the other
    # %% [markdown] reasons="reach"              what reasons, in free text, must say: not graded by machine
    # %% mutants="softmax"                       MUTANTS = {name: (part of the reference, wrong part, hint)}

The last hint of an answer is what its `# solution:` says; the stub says no more than the answer's contract. Kind and
points are added to the heading above an answer, the rules of the game below the first cell.
"""

import ast
import re

import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..names import expect
from .kinds import KINDS, by_kind

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
RULES = """**How this works.** Write only in the answer cells. What an answer needs stands in its own cell, or above \
it in a cell of its own whose first line is `# helper`. Answers may call earlier answers: grading then uses the \
reference for these, so that a mistake costs its points once. A check cell shows numbers; where an answer is a \
function, the stored output is the right one for the inputs of `SEED`, and grading draws others. \
`python -m minivit check {number}` compares, and with `--hint` it reveals an answer's hints one by one, from a nudge \
to nearly the recipe.{formula}

| kind | points | what is asked |
|---|---|---|
{kinds}"""
FORMULA = (" A backward pass must be the formula: a numeric difference is for checking it in a cell of your own "
           "(`from minivit.lessons import numeric`), too slow and too rough for the checks.")
REASONS = """**Your reasons** (free text, not graded by machine; whoever reads it looks for this: {rubric})

*Write here.*"""
SOLUTION = re.compile(r"^( *)# solution: ([^\n]*\n(?:\1# (?!end$)[^\n]*\n)*)(.*?)^\1# end$\n?",
                      re.DOTALL | re.MULTILINE)


def read_source(path):
    """The pristine notebook of exercises/source/NN_name.py."""
    number, name = path.stem[:2], path.stem
    cells = [(cell.cell_type, cell.metadata, cell.source) for cell in
             jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells]
    pristine, answers = [], {}
    for kind, about, source in cells:
        if "hint" in about:
            _answer(answers, about["hint"], path)["hints"].insert(-1, source)
        elif "mutants" in about:
            answer = _answer(answers, about["mutants"], path)
            answer["mutants"] = _mutants(answer["reference"], source, f"{path.name}: {about['mutants']}")
            if answer["asks"] == "debug":
                answer["stub"] = _buggy(answer, about["mutants"], path)
        elif "answer" in about:
            answers[about["answer"]] = new = _new_answer(number, about, source)
            pristine.append(new_code_cell(new["reference"], id=f"answer-{number}-{about['answer']}"))
        elif "check" in about:
            _answer(answers, about["check"], path)
            cell = new_code_cell(f"# {about['points']} points\n{source}", id=f"check-{number}-{about['check']}")
            settings = {key: about[key] for key in ("points", "rtol", "atol", "step") if key in about}
            cell.metadata["minivit"] = {"kind": "check", "answer": about["check"], **settings}
            pristine.append(cell)
        elif "figure" in about:
            cell = new_code_cell(source, id=_given_id(number, about["figure"], {cell.id for cell in pristine}))
            cell.metadata["minivit"] = {"kind": "figure", "shows": about["figure"]}
            pristine.append(cell)
        elif "reasons" in about:
            _answer(answers, about["reasons"], path)
            text = REASONS.format(rubric=" ".join(source.split()))
            pristine.append(new_markdown_cell(text, id=f"reasons-{number}-{about['reasons']}"))
        else:
            new_cell = new_markdown_cell if kind == "markdown" else new_code_cell
            pristine.append(new_cell(source, id=_given_id(number, source, {cell.id for cell in pristine})))
    for cell in pristine:
        if cell.id.startswith("answer-"):
            about = answers[cell.id.split("-", 2)[2]]
            cell.metadata["minivit"] = {key: value for key, value in about.items() if key != "reference"}
    points = {cell.metadata["minivit"]["answer"]: cell.metadata["minivit"]["points"] for cell in pristine
              if cell.id.startswith("check-")}
    _say_kinds(pristine, points)
    pristine[0].source += "\n\n" + _minutes(cells[0][1], path)
    pristine.insert(1, _rules(number, points, answers))
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "minivit": {"number": number, "name": name}}
    return new_notebook(cells=pristine, metadata=metadata)


def _given_id(number, source, taken):
    """An id from the first line, which stays when other cells come and go."""
    name = f"given-{number}-" + re.sub(r"[^a-z0-9]+", "-", source.partition("\n")[0].lower()).strip("-")[:40]
    return next(new for new in (name, *(f"{name}-{i}" for i in range(2, 100))) if new not in taken)


def _answer(answers, name, path):
    if name not in answers:
        raise ValueError(f"{path.name}: a cell speaks of the answer {name!r}, which is not above it")
    return answers[name]


def _new_answer(number, about, source):
    """What the pristine notebook knows of an answer: stub and reference are made from the source's markers."""
    name, match = about["answer"], SOLUTION.search(source)
    if match is None:
        raise ValueError(f"{number}.{name}: no solution between '# solution: what to do' and '# end'")
    expect(f"{number}.{name}: kind", about.get("kind"), KINDS)
    literal = f'"{number}.{name}: not written yet"'
    stub = SOLUTION.sub(lambda found: f"{found[1]}raise NotImplementedError({literal})\n", source, count=1)
    reference = SOLUTION.sub(lambda found: found[3], source, count=1)
    recipe = " ".join(re.sub(r"^ *# ", "", match[2], flags=re.MULTILINE).split())
    return {"kind": "answer", "answer": name, "asks": about["kind"], "bug": about.get("bug", ""),
            "stub": stub.rstrip(), "reference": reference.rstrip(), "forbid": about.get("forbid", "").split(),
            "formula": about.get("formula", False), "hints": [recipe], "mutants": {}}


def _buggy(answer, name, path):
    """The stub of an answer to debug: one of its mutants, whole."""
    expect(f"{path.name}: {name}: bug", answer["bug"], answer["mutants"])
    return f"# This runs, and is wrong. Find the mistake and mend it.\n{answer['mutants'][answer['bug']][0]}"


def _say_kinds(pristine, points):
    """Add its kind and points to the heading above every answer."""
    heading = None
    for cell in pristine:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = cell
        elif cell.id.startswith("answer-") and heading is not None:
            about = cell.metadata["minivit"]
            first, newline, rest = heading.source.partition("\n")
            heading.source = f"{first} · {about['asks']}, {points.get(about['answer'], 0)} points{newline}{rest}"
            heading = None


def _minutes(about, path):
    """A sentence on the time that the exercise takes."""
    minutes = str(about.get("minutes", ""))
    match = re.fullmatch(r"(estimated )?(\d+)", minutes)
    if not match:
        raise ValueError(f"{path.name}: the first cell says minutes={minutes!r}; a number such as 50 is expected, or "
                         "'estimated 50' where nobody has timed it")
    how = "estimated, not yet timed" if match[1] else "timed once, with nothing but the lesson"
    return f"Time: about {match[2]} minutes after the lesson ({how})."


def _rules(number, points, answers):
    """The cell below the first: what may be written where, and the points of each kind."""
    sums = by_kind((answer["asks"], 0, points.get(name, 0)) for name, answer in answers.items())
    kinds = "\n".join(f"| {kind} | {possible} | {KINDS[kind]} |" for kind, (_, possible) in sums.items())
    formula = FORMULA if any(answer["formula"] for answer in answers.values()) else ""
    return new_markdown_cell(RULES.format(number=number, formula=formula, kinds=kinds),
                             id=f"given-{number}-how-this-works")


def _mutants(reference, source, where):
    """{name: (source of the wrong answer, hint)} from {name: (part, wrong part, hint)}; the docstring stays."""
    head, mark, body = reference.rpartition('"""\n')
    mutants = {}
    for name, (part, wrong, hint) in ast.literal_eval(source.partition("=")[2].strip()).items():
        if body.count(part) != 1:
            raise ValueError(f"{where}: mutant {name!r} replaces {part!r}, which occurs {body.count(part)} times")
        mutants[name] = (head + mark + body.replace(part, wrong), hint)
    return mutants
