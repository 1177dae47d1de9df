"""docs/teaching/: its pages hold together with the lessons, its numbers are so, its programs do what it says."""

import csv
import doctest
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from minivit.lessons.course import COURSE, FOLDER

DOCS = FOLDER.parent / "docs"
PAGES = sorted((DOCS / "teaching").glob("*.md"))
LESSONS = [lesson for lesson in COURSE if lesson.path.exists()]
PLANS = {lesson.number: DOCS / "teaching" / f"{lesson.path.stem}.md" for lesson in LESSONS}
LINKING = [*PAGES, DOCS / "teachers.md", FOLDER / "NOTATION.md", FOLDER / "GLOSSARY.md"]
HEADINGS = ["What students can do afterwards", "What they need before", "A lecture of 45 minutes",
            "What goes wrong in their heads"]


def read(path):
    return path.read_text(encoding="utf-8")


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", read(path), flags=re.MULTILINE)}


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", read(path)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        aim = (path.parent / name).resolve() if name else path
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_the_sessions_show_is_what_comes(path):
    sessions = "\n".join(re.findall(r"```python\n(>>> .*?)```", read(path), flags=re.DOTALL))
    told = []
    test = doctest.DocTestParser().get_doctest(sessions, {}, path.name, str(path), 0)
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    assert not told, "".join(told)
    assert test.examples or path not in PLANS.values(), "a lesson's page shows at least one number"


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.path.stem)
def lesson(request):
    return request.param


def first_cell(lesson):
    return "".join(json.loads(read(lesson.path))["cells"][0]["source"])


def part(lesson, heading):
    """The text under a heading of a lesson's page."""
    return read(PLANS[lesson.number]).split(f"## {heading}\n")[1].split("\n## ")[0]


def test_every_written_lesson_has_a_page_of_the_same_parts(lesson):
    text = read(PLANS[lesson.number])
    assert text.startswith(f"# Teaching lesson {lesson.number}: ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == HEADINGS
    assert f"({'../../lessons/' + lesson.path.name})" in text


def test_objectives_point_to_sections_that_exist(lesson):
    text = "\n\n".join("".join(cell["source"]) for cell in json.loads(read(lesson.path))["cells"])
    sections = set(re.findall(r"^## (\d+)\. ", text, flags=re.MULTILINE))
    objectives = re.findall(r"^- ((?:.|\n  )+)$", part(lesson, HEADINGS[0]), flags=re.MULTILINE)
    assert 4 <= len(objectives) <= 7
    for objective in objectives:
        named = re.search(r"\(sections? ([\d, and]+)\)[.;]?$", objective)
        assert named, f"ends with the section that teaches it: {objective}"
        assert set(re.findall(r"\d+", named[1])) <= sections, objective


def test_prerequisites_are_those_that_the_lesson_names(lesson):
    said = re.search(r"Before: (.+?)\n\n", first_cell(lesson), flags=re.DOTALL)[1]
    numbers = set(re.findall(r"\b\d\d\b", said))
    if "to" in said.split():
        low, high = sorted(numbers)
        numbers = {one.number for one in LESSONS if low <= one.number <= high}
    assert set(re.findall(r"\[(\d\d)\]", part(lesson, HEADINGS[1]))) == numbers


def test_a_lecture_fills_its_minutes(lesson):
    spans = re.findall(r"^\| (\d+)-(\d+) \| ", part(lesson, HEADINGS[2]), flags=re.MULTILINE)
    assert [start for start, _ in spans] == ["0", *(end for _, end in spans[:-1])]
    assert spans[-1][1] == "45"
    assert f"python -m minivit slides {lesson.number}" in part(lesson, HEADINGS[2])


def test_each_misconception_has_its_question_and_its_answer(lesson):
    entries = part(lesson, HEADINGS[3]).split("\n### ")[1:]
    assert len(entries) >= 3
    for entry in entries:
        assert re.search(r"^\*\*Ask:\*\* ", entry, flags=re.MULTILINE), entry
        assert re.search(r"^\*\*Answer:\*\* ", entry, flags=re.MULTILINE), entry


def test_the_core_of_a_syllabus_is_written_lessons_each_once():
    planned = {lesson.number for lesson in COURSE} - set(PLANS)
    for heading in ("Six weeks", "Twelve weeks"):
        text = read(DOCS / "teaching" / "syllabus.md").split(f"## {heading}\n")[1].split("\n## ")[0]
        rows = [row.split(" | ") for row in re.findall(r"^\| \d+ \| .+ \|$", text, flags=re.MULTILINE)]
        core = [number for row in rows for number in re.findall(r"\[(\d\d) ", row[1])]
        assert sorted(set(core)) == sorted(PLANS), heading
        assert set(re.findall(r"\*(\d\d) \w+\*", text)) <= planned, "what is in italics is planned"
        assert not planned & set(core)


def test_the_demos_that_pages_name_exist():
    demos = FOLDER.parent / "minivit" / "demos"
    if not demos.exists():
        pytest.skip("there are no demos yet")
    named = {name for path in PAGES for name in re.findall(r"python -m minivit demo (\w+)", read(path))}
    rows = re.findall(r"^\| \d+ \| .+ \|$", read(DOCS / "teaching" / "syllabus.md"), flags=re.MULTILINE)
    named |= {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {name for name in named if not (demos / f"{name}.py").exists()} == set()


def programs(page):
    return re.findall(r"```python\n(?!>>>)(.*?)```", read(DOCS / "teaching" / page), flags=re.DOTALL)


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def platforms(tmp_path, monkeypatch):
    """The programs of the page on learning platforms, in an empty folder with results of a grading."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "feedback").mkdir(parents=True)
    return programs("learning_platforms.md")


def test_feedback_is_packed_as_moodle_wants_it(platforms, tmp_path):
    (tmp_path / "results/feedback/Ada_Example-101-03.html").write_text("good", encoding="utf-8")
    exec(platforms[0], {})
    assert ZipFile("feedback.zip").namelist() == ["Ada Example_101_assignfeedback_file_/Ada_Example-101-03.html"]


def test_blackboards_archive_is_sorted_by_user(platforms, tmp_path):
    with ZipFile("gradebook.zip", "w") as archive:
        archive.writestr("gradebook_VIT_Exercise2003_aex1_attempt_2026-11-20-10-00-00_03_attention.ipynb", "{}")
        archive.writestr("gradebook_VIT_Exercise2003_aex1_attempt_2026-11-20-10-00-00.txt", "Name: Ada")
    exec(platforms[1], {})
    assert [path.name for path in (tmp_path / "submissions" / "aex1").iterdir()] == [
        "2026-11-20-10-00-00_03_attention.ipynb"]


def test_the_tables_of_blackboard_and_ilias_are_filled(platforms):
    results, blackboard, ilias = Path("results/grades-03.csv"), Path("blackboard.csv"), Path("status.csv")
    results.write_text("student,points,graded\naex1,85,yes\nbex2,,not graded\nExample_Ada_aex1_301,85,yes\n",
                       encoding="utf-8-sig")
    blackboard.write_text('Username,"Exercise 03 [Total Pts: 100 Score] |77"\naex1,\nbex2,\n', encoding="utf-8")
    ilias.write_text("update,usr_id,login,lastname,firstname,status,mark\n0,301,aex1,Example,Ada,notgraded,\n"
                     "0,302,bex2,Example,Ben,notgraded,\n", encoding="utf-8")
    exec("\n".join(platforms[2:4]), {})
    assert [list(row.values()) for row in rows(blackboard)] == [["aex1", "85"], ["bex2", ""]]
    assert [(row["update"], row["status"], row["mark"]) for row in rows(ilias)] == [
        ("1", "passed", "85"), ("0", "notgraded", "")]
