"""The map of the course is what there is: numbers, links and pictures."""

import base64
import io
import json
import re

import pytest

from minivit.__main__ import main
from minivit.lessons import course, overview

WRITTEN = [lesson for lesson in course.COURSE if lesson.path.exists()]


def test_the_map_is_up_to_date():
    """If not: python -m minivit course --write"""
    assert (course.FOLDER / "README.md").read_text(encoding="utf-8") == overview.readme()
    assert (course.FOLDER / "pictures" / "map.svg").read_text(encoding="utf-8") == overview.map_svg()


@pytest.mark.parametrize("lesson", WRITTEN, ids=lambda lesson: lesson.number)
def test_every_written_lesson_has_the_picture_of_its_notebook(lesson):
    image = pytest.importorskip("PIL.Image")
    shown = image.open(course.FOLDER / "pictures" / f"{lesson.path.stem}.png")
    figure = image.open(io.BytesIO(overview.cover(lesson.path)))
    assert shown.width == overview.PICTURE_WIDTH
    assert shown.height == pytest.approx(figure.height * shown.width / figure.width, abs=1)


def test_every_notebook_is_on_the_map():
    assert {path.name for path in course.FOLDER.glob("*.ipynb")} == {lesson.path.name for lesson in WRITTEN}


def test_numbers_stand_in_their_order():
    numbers = re.findall(r"^(?:> |.*\*\*\[)(\d\d) ", overview.readme(), flags=re.MULTILINE)
    assert numbers == [f"{number:02}" for number in range(49)]


def test_one_setting_gives_every_written_lesson_a_link_to_colab(monkeypatch):
    assert ("colab" in overview.readme()) == bool(course.REPOSITORY)
    monkeypatch.setattr(overview, "REPOSITORY", "somebody/vision")
    links = re.findall(r"\(https://colab.research.google.com/github/somebody/vision/blob/main/lessons/(\w+\.ipynb)\)",
                       overview.readme())
    assert links == [lesson.path.name for lesson in WRITTEN]
    assert "%pip install -q git+https://github.com/somebody/vision" in overview.readme()


def notebook(path, *tags):
    """A notebook whose figures are the bytes of their numbers; tags of each."""
    cells = [{"metadata": {"tags": tag}, "outputs": [{"data": {"image/png": base64.b64encode(bytes([n])).decode()}}]}
             for n, tag in enumerate(tags)]
    path.write_text(json.dumps({"cells": [{"metadata": {}}, *cells]}))
    return path


def test_the_cover_is_the_first_figure_or_the_one_that_is_tagged(tmp_path):
    assert overview.cover(notebook(tmp_path / "a.ipynb", [], [])) == b"\0"
    assert overview.cover(notebook(tmp_path / "a.ipynb", [], ["cover"], [])) == b"\1"
    with pytest.raises(ValueError, match="no figure to show in the map"):
        overview.cover(notebook(tmp_path / "a.ipynb"))


def test_the_command_lists_and_writes(tmp_path, monkeypatch, capsys):
    image = pytest.importorskip("PIL.Image")
    png = io.BytesIO()
    image.new("RGB", (640, 100)).save(png, "PNG")
    cell = {"metadata": {}, "outputs": [{"data": {"image/png": base64.b64encode(png.getvalue()).decode()}}]}
    (tmp_path / "06_vit.ipynb").write_text(json.dumps({"cells": [cell]}))
    for module in (course, overview):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    assert main(["course"]) == 0
    assert not (tmp_path / "README.md").exists()
    said = capsys.readouterr().out
    assert "  06 vit" in said
    assert "  (07 cnn)" in said
    assert main(["course", "--write"]) == 0
    assert "[06 vit](06_vit.ipynb)" in (tmp_path / "README.md").read_text()
    assert "> 07 cnn" in (tmp_path / "README.md").read_text()
    assert image.open(tmp_path / "pictures" / "06_vit.png").size == (320, 50)
