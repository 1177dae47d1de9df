"""Every committed lesson keeps to the form that readers count on (DESIGN section 7)."""

import json
import re
from statistics import median

import pytest

from minivit.lessons.course import FOLDER

PATHS = sorted(FOLDER.glob("*.ipynb"))
FIGURES = {"image/png", "image/svg+xml", "image/jpeg"}
MACHINE = re.compile(r"/root/|/home/|/Users/|/tmp/|/work/|/usr/lib|site-packages|[A-Z]:\\\\")
IGNORE = "nbval-ignore-output"
BAR = "%|"  # of progress, which tells speeds


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def lesson(request):
    """A notebook as its file has it, with path and lists of cells."""
    notebook = json.loads(request.param.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["text"] = "".join(cell["source"])
    notebook["path"] = request.param
    notebook["code"] = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    notebook["markdown"] = [cell["text"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return notebook


def lines(cell):
    """How many lines of a code cell are not empty."""
    return sum(bool(line.strip()) for line in cell["text"].splitlines())


def tags(cell):
    return cell["metadata"].get("tags", [])


def figures(cell):
    return sum(bool(FIGURES & output.get("data", {}).keys()) for output in cell["outputs"])


def test_lengths(lesson):
    words = sum(len(text.split()) for text in lesson["markdown"])
    assert 1800 <= words <= 3000, f"{words} words"
    assert 20 <= len(lesson["code"]) <= 28, f"{len(lesson['code'])} code cells"
    assert median(map(lines, lesson["code"])) <= 11  # of at most 100 characters
    assert max(map(lines, lesson["code"])) <= 30
    assert 5 <= sum(map(figures, lesson["code"])) <= 9
    assert lesson["path"].stat().st_size < 1.5e6


def test_first_screen(lesson):
    first = lesson["cells"][0]["text"]
    assert first.startswith(f"# {lesson['path'].stem[:2]} ")
    assert "question" in first
    assert "minutes" in first
    assert "two CPU cores" in first
    assert any("| symbol |" in text for text in lesson["markdown"][:2])


def test_one_cell_imports_minivit_in_at_most_ten_lines(lesson):
    importing = [cell for cell in lesson["code"] if re.search(r"^(from|import) ", cell["text"], flags=re.MULTILINE)]
    assert len(importing) == 1
    assert importing[0] in lesson["code"][:2]
    assert lines(importing[0]) <= 10


def test_the_importing_cell_may_say_that_it_is_a_smoke_run(lesson):
    first = next(cell for cell in lesson["code"] if "minivit.lessons" in cell["text"])
    assert IGNORE in tags(first)
    assert not first["outputs"]


def test_no_line_of_code_is_cut_off_in_jupyterlab(lesson):
    for cell in lesson["code"]:
        for line in cell["text"].splitlines():
            assert len(line) <= 100, f"{len(line)} characters: {line}"


def test_nothing_stands_on_red(lesson):
    for cell in lesson["code"]:
        assert all(output.get("name") != "stderr" for output in cell["outputs"]), cell["text"]


def test_something_to_see_within_five_cells(lesson):
    assert any(cell.get("outputs") for cell in lesson["cells"][:5])


def test_headings_are_numbered_and_end_with_recap_questions_exercise_reading(lesson):
    text = "\n\n".join(lesson["markdown"])
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", text, flags=re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 8
    end = text[text.index("Recap"):]
    for word in ("uestions", "Exercise", "Reading"):
        assert word in end, word


def test_three_questions_hide_their_answers(lesson):
    text = "\n\n".join(lesson["markdown"])
    text = text[text.index("Recap"):]  # before it, a prediction may hide what comes
    answers = re.findall(r"<details>\s*<summary>(.+?)</summary>\n\n(.+?)\n\n</details>", text, flags=re.DOTALL)
    assert len(answers) == text.count("<details>") == 3


def test_it_was_run_from_top_to_bottom_without_an_error(lesson):
    assert [cell["execution_count"] for cell in lesson["code"]] == list(range(1, len(lesson["code"]) + 1))
    for cell in lesson["code"]:
        assert all(output["output_type"] != "error" for output in cell["outputs"]), cell["text"]


def test_nothing_of_the_machine_that_ran_it(lesson):
    assert set(lesson["metadata"]) == {"kernelspec", "language_info"}
    for index, cell in enumerate(lesson["cells"]):
        assert cell["id"] == f"{lesson['path'].stem[:2]}-{index:02}"
        assert set(cell["metadata"]) <= {"tags", "slideshow"}
        for output in cell.get("outputs", []):
            texts = [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
            said = "".join(part for text in texts for part in text)
            assert not MACHINE.search(said), said
            assert "Warning" not in said, said
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_what_differs_between_machines_is_not_compared(lesson):
    for cell in lesson["code"]:
        differs = figures(cell) or any(BAR in "".join(output.get("text", "")) for output in cell["outputs"])
        assert not differs or IGNORE in tags(cell), cell["text"]


def test_it_was_run_with_the_full_budget_on_cifar(lesson):
    said = json.dumps([cell["outputs"] for cell in lesson["code"]])
    assert "shapes10, because" not in said


def test_a_lesson_asserts_what_it_claims(lesson):
    assert sum("assert " in cell["text"] for cell in lesson["code"]) >= 6


def test_shapes_stand_behind_reshapes_and_transposes(lesson):
    for cell in lesson["code"]:
        for line in cell["text"].splitlines():
            if re.search(r"(?<!np)\.(reshape|transpose)\(|rearrange\(", line) and "def " not in line:
                assert "#" in line, line
