"""The results of a class in the forms that others read: a table, CSV, JUnit, Gradescope, Moodle, Canvas."""

import csv
import json
import re
from xml.etree import ElementTree

from .verdict import PASSED

NUMBERS = ("identifier", "id", "id number")  # a roster's columns with the number that the system gave
NAMES = ("Full name", "Student", "Name", "name", "Student name")  # columns that hold a student's name


def write_all(out, records, roster=()):
    """Write every form into the folder `out`; roster is a list of dicts, the rows of its CSV file."""
    for number in sorted({record["exercise"] for record in records if record["exercise"]}):
        chosen = [record for record in records if record["exercise"] == number]
        grades(out / f"grades-{number}.csv", [record for record in records if record["exercise"] in (number, "")])
        moodle(out / f"moodle-{number}.csv", chosen, roster)
        canvas(out / f"canvas-{number}.csv", chosen, roster, number)
    junit(out / "junit.xml", records)
    for record in records:
        gradescope(out / "gradescope" / record["key"] / "results.json", record)


def table(records):
    """Lines for the screen: a submission each, with its points and what happened to every answer."""
    width = max([len(plain(record["student"])) for record in records] + [7])
    lines = [f"{'student':<{width}}  ex  points  answers"]
    for record in records:
        answers = "  ".join(f"{name} {answer['points'] if answer['status'] == PASSED else answer['status']}"
                            for name, answer in record["answers"].items()) or "; ".join(record["flags"])
        lines.append(f"{plain(record['student']):<{width}}  {record['exercise'] or '--'}  {record['points']:>6}  "
                     f"{plain(answers)}")
    return lines


def plain(text):
    """Without control characters, which could rewrite a terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(text))


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
    """A row a student, a column an answer."""
    names = list(dict.fromkeys(name for record in records for name in record["answers"]))
    rows(path, ["student", "identifier", "points", *names, "flags"],
         [[record["student"], record["identifier"], record["points"],
           *(record["answers"].get(name, {}).get("points", 0) for name in names),
           "; ".join(record["flags"] + [flag for answer in record["answers"].values() for flag in answer["flags"]])]
          for record in records])


def find(record, roster):
    """The roster's row of a record's student: by the number that the system gave, else by a name that only one has."""
    if record["identifier"]:
        for row in roster:
            if any(key.lower() in NUMBERS and (value or "").split()[-1:] == [record["identifier"]]
                   for key, value in row.items() if isinstance(key, str)):
                return row
    wanted = spellings(record["student"])
    found = [row for row in roster if any(wanted & spellings(value) for value in row.values())]
    return found[0] if len(found) == 1 else {}


def spellings(name):
    """The ways to write a name: Canvas makes "doejane" of "Doe, Jane", and Moodle says "Jane Doe"."""
    words = re.findall(r"\w+", name.casefold()) if isinstance(name, str) else []
    return {"".join(words[i:] + words[:i]) for i in range(len(words))}


def strangers(records, roster):
    """Lines: who is on the roster and handed nothing in, and who handed something in and is not on it."""
    found = [find(record, roster) for record in records]
    absent = [next(filter(None, (row.get(name) for name in NAMES)), "").strip() for row in roster if row not in found]
    return [f"nothing came from {plain(name)}" for name in absent if name not in ("", "Points Possible")] + \
           [f"not on the roster: {plain(record['student'])}" for record, row in zip(records, found, strict=True)
            if not row]


def moodle(path, records, roster):
    """The columns of Moodle's grading worksheet that an upload needs."""
    lines = []
    for record in records:
        row = find(record, roster)
        lines.append([row.get("Identifier") or f"Participant {record['identifier']}".strip(),
                      row.get("Full name", record["student"]), row.get("Email address", ""), record["points"],
                      record["possible"] or 100])
    rows(path, ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade"], lines)


def canvas(path, records, roster, number):
    """The columns of a Canvas gradebook that an upload needs; the roster's name for this exercise is kept."""
    grade = next((name for row in roster[:1] for name in row if name and name.startswith(f"Exercise {number} (")),
                 f"Exercise {number}")
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    lines = []
    for record in records:
        row = {"Student": record["student"], "ID": record["identifier"], **find(record, roster)}
        lines.append([row.get(name) or "" for name in header] + [record["points"]])
    rows(path, [*header, grade], lines)


def junit(path, records):
    """A test suite a submission, a test case an answer."""
    root = ElementTree.Element("testsuites")
    for record in records:
        failed = sum(answer["status"] != PASSED for answer in record["answers"].values())
        suite = ElementTree.SubElement(root, "testsuite", name=plain(f"{record['student']} {record['exercise']}"),
                                       tests=str(len(record["answers"])), failures=str(failed))
        for name, answer in record["answers"].items():
            case = ElementTree.SubElement(suite, "testcase", name=name, classname=f"exercise{record['exercise']}")
            if answer["status"] != PASSED:
                text = plain("; ".join(answer["messages"]))
                ElementTree.SubElement(case, "failure", message=answer["status"]).text = text
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def gradescope(path, record):
    """Gradescope's results.json; students see it, so it holds no hidden number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tests = [{"name": name, "score": answer["points"], "max_score": answer["possible"], "visibility": "visible",
              "status": "passed" if answer["status"] == PASSED else "failed",
              "output": plain("; ".join([answer["status"], *answer["outline"]]))}
             for name, answer in record["answers"].items()]
    path.write_text(json.dumps({"score": record["points"], "output": plain("; ".join(record["flags"])),
                                "tests": tests}, indent=1), encoding="utf-8")
