"""The results of a class in the forms that others read: a table, CSV, JUnit, Gradescope, Moodle, Canvas."""

import csv
import json
from xml.etree import ElementTree

from .kinds import by_kind
from .students import find, plain
from .verdict import NOT_GRADED, PASSED


def write_all(out, records, roster=()):
    """Write every form into the folder `out`; roster is a list of dicts, the rows of its CSV file."""
    for number in sorted({record["exercise"] for record in records if record["exercise"]}):
        chosen = [record for record in records if record["exercise"] == number]
        grades(out / f"grades-{number}.csv", [record for record in records if record["exercise"] in (number, "")])
        moodle(out / f"moodle-{number}.csv", chosen, roster)
        canvas(out / f"canvas-{number}.csv", chosen, roster, number)
    if not any(record["exercise"] for record in records):
        grades(out / "grades.csv", records)
    junit(out / "junit.xml", records)
    for record in records:
        gradescope(out / "gradescope" / record["key"] / "results.json", record)


def kinds(record):
    """{kind: (points, possible)} of a record."""
    return by_kind((answer.get("kind", ""), answer["points"], answer["possible"])
                   for answer in record["answers"].values())


def graded(record):
    """Whether all answers of a record were graded: the machine's faults are nobody's."""
    return not any(answer["status"] == NOT_GRADED for answer in record["answers"].values())


def why_not(record):
    """Why a record's first answer that was not graded was not."""
    return next(answer["messages"][0] for answer in record["answers"].values() if answer["status"] == NOT_GRADED)


def points(record):
    """What a gradebook is told: nothing where something was not graded, or where it is open who handed it in."""
    return record["points"] if graded(record) and not record["imitated"] else ""


def table(records):
    """Lines for the screen: a submission each, with its points and what happened to every answer."""
    width = max([len(plain(record["student"])) for record in records] + [7])
    lines = [f"{'student':<{width}}  ex  points  answers"]
    for record in records:
        answers = "  ".join(f"{name} {answer['points'] if answer['status'] == PASSED else answer['status']}"
                            for name, answer in record["answers"].items()) or "; ".join(record["flags"])
        if record["imitated"]:
            answers = f"whose is it? {answers}"
        lines.append(f"{plain(record['student']):<{width}}  {record['exercise'] or '--'}  "
                     f"{record['points'] if graded(record) else '?':>6}  {plain(answers)}")
    return lines


def cell(value):
    """A text that a spreadsheet takes for a text, not for a formula."""
    text = plain(value) if isinstance(value, str) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def rows(path, header, lines):
    """Write a CSV file."""
    with open(path, "w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([cell(value) for value in line] for line in lines)


def grades(path, records):
    """A row a student, a column an answer, and one for each kind of answers."""
    names = list(dict.fromkeys(name for record in records for name in record["answers"]))
    found = list(dict.fromkeys(kind for record in records for kind in kinds(record)))
    rows(path, ["student", "identifier", "points", *names, *found, "graded", "file", "flags"],
         [[record["student"], record["identifier"], record["points"] if graded(record) else "",
           *(record["answers"].get(name, {}).get("points", 0) for name in names),
           *(kinds(record).get(kind, (0, 0))[0] for kind in found),
           "yes" if graded(record) else NOT_GRADED, record["file"],
           "; ".join(record["flags"] + [f"{name}: {flag}" for name, answer in record["answers"].items()
                                        for flag in answer["flags"]])]
          for record in records])


def moodle(path, records, roster):
    """The columns of Moodle's grading worksheet that an upload needs; Moodle refuses a file without the last one."""
    lines = []
    for record in records:
        row = find(record, roster)
        lines.append([row.get("Identifier") or f"Participant {record['identifier']}".strip(),
                      row.get("Full name", record["student"]), row.get("Email address", ""), points(record),
                      record["possible"] or 100, (row.get("Last modified (grade)") or "").strip("-")])
    rows(path, ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Last modified (grade)"], lines)


def canvas(path, records, roster, number):
    """The columns of a Canvas gradebook that an upload needs; the roster's name for this exercise is kept."""
    grade = next((name for row in roster[:1] for name in row if name and name.startswith(f"Exercise {number} (")),
                 f"Exercise {number}")
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    lines = []
    for record in records:
        row = {"Student": record["student"], "ID": record["identifier"], **find(record, roster)}
        lines.append([row.get(name) or "" for name in header] + [points(record)])
    rows(path, [*header, grade], lines)


def junit(path, records):
    """A test suite a submission, a test case an answer."""
    root = ElementTree.Element("testsuites")
    for record in records:
        statuses = [answer["status"] for answer in record["answers"].values()]
        suite = ElementTree.SubElement(root, "testsuite", name=plain(f"{record['student']} {record['exercise']}"),
                                       tests=str(len(statuses)), errors=str(statuses.count(NOT_GRADED)),
                                       failures=str(sum(one not in (PASSED, NOT_GRADED) for one in statuses)))
        if record["flags"]:
            ElementTree.SubElement(suite, "system-out").text = plain("; ".join(record["flags"]))
        for name, answer in record["answers"].items():
            case = ElementTree.SubElement(suite, "testcase", name=name, classname=f"exercise{record['exercise']}")
            if answer["status"] != PASSED:
                kind = "error" if answer["status"] == NOT_GRADED else "failure"
                failure = ElementTree.SubElement(case, kind, message=answer["status"])
                failure.text = plain("; ".join(answer["messages"]))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def gradescope(path, record):
    """Gradescope's results.json; students see it, so it holds no hidden number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tests = [{"name": name, "tags": [answer.get("kind", "")], "score": answer["points"],
              "max_score": answer["possible"], "visibility": "visible",
              "status": "passed" if answer["status"] == PASSED else "failed",
              "output": plain("; ".join([answer["status"], *answer["outline"]]))}
             for name, answer in record["answers"].items()]
    score = {"score": record["points"]} if graded(record) else {}
    path.write_text(json.dumps({**score, "output": plain("; ".join(record["flags"])), "tests": tests}, indent=1),
                    encoding="utf-8")
