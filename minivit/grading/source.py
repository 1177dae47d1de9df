"""The source of an exercise, in jupytext's percent format, read into the pristine notebook.

    # %% answer="softmax" forbid=["einsum"]      the reference, between `# solution: what to do` and `# end`
    # %% answer="..._backward" formula=true      one that looks like a numeric difference is flagged
    # %% check="softmax" points=15 atol=1e-6     SEED = 3, inputs drawn from it, show(...)
    # %% [markdown] hint="softmax"               one hint; several cells are shown one after the other
    # %% mutants="softmax"                       MUTANTS = {name: (part of the reference, wrong part, hint)}
"""

import ast
import re
import textwrap

import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SOLUTION = re.compile(r"^( *)# solution: (.*?)\n(.*?)^ *# end$\n?", re.DOTALL | re.MULTILINE)


def read_source(path):
    """The pristine notebook of exercises/source/NN_name.py."""
    number, name = path.stem[:2], path.stem
    cells = [(cell.cell_type, cell.metadata, cell.source) for cell in
             jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells]
    pristine, answers = [], {}
    for kind, about, source in cells:
        if "hint" in about:
            _answer(answers, about["hint"], path)["hints"].append(source)
        elif "mutants" in about:
            answer = _answer(answers, about["mutants"], path)
            answer["mutants"] = _mutants(answer["reference"], source, f"{path.name}: {about['mutants']}")
        elif "answer" in about:
            answers[about["answer"]] = new = _new_answer(number, about, source)
            pristine.append(new_code_cell(new["reference"], id=f"answer-{number}-{about['answer']}"))
        elif "check" in about:
            _answer(answers, about["check"], path)
            cell = new_code_cell(f"# {about['points']} points\n{source}", id=f"check-{number}-{about['check']}")
            settings = {key: about[key] for key in ("points", "rtol", "atol") if key in about}
            cell.metadata["minivit"] = {"kind": "check", "answer": about["check"], **settings}
            pristine.append(cell)
        else:
            new_cell = new_markdown_cell if kind == "markdown" else new_code_cell
            pristine.append(new_cell(source, id=_given_id(number, source, {cell.id for cell in pristine})))
    for cell in pristine:
        if cell.id.startswith("answer-"):
            about = answers[cell.id.split("-", 2)[2]]
            cell.metadata["minivit"] = {key: value for key, value in about.items() if key != "reference"}
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
    indent, task = match[1], " ".join(match[2].split())
    text = textwrap.wrap(f"{number}.{name}: {task}", 80, drop_whitespace=False, break_on_hyphens=False)
    literals = f"\n{indent}                          ".join(f'"{line}"' for line in text)
    stub = SOLUTION.sub(lambda _: f"{indent}raise NotImplementedError({literals})\n", source, count=1)
    reference = SOLUTION.sub(lambda found: found[3], source, count=1)
    return {"kind": "answer", "answer": name, "stub": stub.rstrip(), "reference": reference.rstrip(),
            "forbid": about.get("forbid", []), "formula": about.get("formula", False), "hints": [], "mutants": {}}


def _mutants(reference, source, where):
    """{name: (source of the wrong answer, hint)} from {name: (part, wrong part, hint)}; the docstring stays."""
    head, mark, body = reference.rpartition('"""\n')
    mutants = {}
    for name, (part, wrong, hint) in ast.literal_eval(source.partition("=")[2].strip()).items():
        if body.count(part) != 1:
            raise ValueError(f"{where}: mutant {name!r} replaces {part!r}, which occurs {body.count(part)} times")
        mutants[name] = (head + mark + body.replace(part, wrong), hint)
    return mutants
