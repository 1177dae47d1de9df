"""python -m minivit draw."""

import xml.etree.ElementTree as ElementTree

import pytest

from minivit.__main__ import main


def words_of(file):
    """The text that stands for the picture."""
    return ElementTree.parse(file).find("{http://www.w3.org/2000/svg}desc").text


def test_draws_a_model_into_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "swin:tiny"]) == 0
    assert capsys.readouterr().out == f"written: {tmp_path / 'swin_tiny.svg'}\n"
    assert "(B, 56, 56, 96)" in words_of(tmp_path / "swin_tiny.svg")


def test_level_highlight_and_picture_size(tmp_path):
    file = tmp_path / "vit.svg"
    assert main(["draw", "vit", "--out", str(file), "--level", "0", "--highlight", "attention", "--highlight", "head",
                 "--image-size", "64"]) == 0
    text = words_of(file)
    assert "(B, 256, 128)" in text
    assert "norm1" not in text
    assert text.count("highlighted") == 2


@pytest.mark.parametrize("arguments, message", [
    (["vitt"], "did you mean 'vit'?"),
    (["vit:tinny"], "did you mean 'tiny'?"),
    (["vit", "--level", "9"], "level: expected 0 to 3, got 9"),
    (["vit", "--highlight", "rol"], "highlight: 'rol' does not exist; "),
    (["vit", "--out", "."], "--out: expected a file, got the folder "),
    (["vit", "--out", "missing/vit.svg"], "No such file or directory"),
    (["vit", "--image-size", "33"], "33 x 33 pixels do not divide into patches of 4 x 4"),
])
def test_mistakes_get_one_line_and_write_nothing(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
