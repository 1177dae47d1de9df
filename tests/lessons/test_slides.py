"""A lesson as slides: what the metadata of a cell puts onto them, and that the file needs nothing beside it."""

import hashlib
import json
import re
import shutil
from base64 import b64encode

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minivit.lessons import assets as assets_module
from minivit.lessons.course import FOLDER

pytest.importorskip("nbconvert")
from minivit.__main__ import main  # noqa: E402
from minivit.lessons import handout  # noqa: E402
from minivit.lessons.slide_parts import LINES, WIDTH, code, lines_of  # noqa: E402
from minivit.lessons.slides import deck, slides  # noqa: E402

PATHS = sorted(FOLDER.glob("*.ipynb"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
ASSETS = {"reveal.js": "let reveal = '</script>'", "reveal.css": ".reveal {}", "tex-svg.js": "let mathjax",
          "notes.js": "let notes"}
TOLD = {"slide_type": "slide", "title": "It works", "notes": "Say so."}


def text_cell(source="Long text.", **given):
    return new_markdown_cell(source, metadata={"slideshow": TOLD | given})


def code_cell(source, outputs=(), **given):
    return new_code_cell(source, outputs=list(outputs), metadata={"slideshow": TOLD | given})


def figure(**kinds):
    return new_output("display_data", {"image/png": PNG} | kinds)


def shown(slide):
    return "".join(part for part, _ in slide.parts)


def test_what_has_no_metadata_does_not_appear():
    skipped = new_markdown_cell("Secret", metadata={"slideshow": {"slide_type": "skip"}})
    cells = [new_markdown_cell("# T"), text_cell(text="Short."), new_code_cell("x = 1"), skipped]
    one, = deck(cells)
    assert (one.title, one.kind) == ("It works", "first")
    assert "Short." in shown(one)
    assert "Long" not in shown(one)


def test_what_stands_behind_a_pause_waits():
    one, = deck([text_cell(text="First.\n\n. . .\n\nThen.\n\n. . .\n\nLast.")])
    assert [waits for _, waits in one.parts] == [False, True, True]


def test_a_question_has_a_slide_before_its_answer():
    first, question, answer = deck([text_cell(), text_cell(predict="How many?\nTen, or *more*?", text="Twelve.")])
    assert (question.title, question.kind) == ("How many?", "predict")
    assert "<em>more</em>" in shown(question)
    assert "Twelve" in shown(answer)


def test_a_deck_ends_with_a_question_for_the_break():
    assert deck([text_cell(), text_cell(title="Why?")])[-1].kind == "break"
    assert deck([text_cell(), text_cell()])[-1].kind == "slide"


def test_a_fragment_joins_the_slide_before_it():
    then = new_code_cell("draw()", outputs=[figure()], metadata={
        "slideshow": {"slide_type": "fragment", "text": "Then.", "figure": True, "notes": "And this."}})
    one, = deck([text_cell(text="First."), then])
    assert [waits for _, waits in one.parts] == [False, True, True]
    assert one.notes == "Say so.\n\nAnd this."


def test_code_shows_its_lines_and_what_it_prints_waits():
    printed = new_output("stream", name="stdout", text="fit: 100%|###| 9/9\none\ntwo <b>\nthree\n")
    one, = deck([code_cell("a = 1\nb = 2\nc = 3", [printed], code_lines="2-3", highlight="3", printed="2")])
    (program, _), (said, waits) = one.parts
    words = re.sub("<[^>]+>", "", program)
    assert "a = 1" not in words
    assert "b = 2\nc = 3" in words
    assert program.count('class="hll"') == 1
    assert waits
    assert "two &lt;b&gt;" in said
    assert "one" not in said


def test_three_dots_stand_for_lines_that_are_left_out():
    words = re.sub("<[^>]+>", "", code("def f():\n    a = 1\n    b = 2\n\n    return b", "1, 3, 5", ""))
    assert words.rstrip() == "def f():\n    ...\n    b = 2\n\n    return b"


def test_a_comment_that_does_not_fit_stands_above_its_line():
    words = re.sub("<[^>]+>", "", code(f"x = {'1' * 60}          # {'shape ' * 5}\ny = 2          # short", "1-2", ""))
    assert words.rstrip() == f"# {'shape ' * 5}\nx = {'1' * 60}\ny = 2  # short"


def test_a_figure_is_svg_where_there_is_svg():
    plotted, drawn = (f"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>"
                      for inside in ("<desc>A &lt; B</desc>", "var(--ink)"))
    outputs = [figure(), *(figure(**{"image/svg+xml": svg}) for svg in (drawn, plotted))]
    first, second, third = deck([code_cell("draw()", outputs, figure=True),
                                 code_cell("draw()", outputs, figure=2, finding="So."),
                                 code_cell("draw()", outputs, figure=3)])
    assert f'data:image/png;base64,{PNG}" alt="It works"' in shown(first)
    assert f'<div class="figure">{drawn.partition("?>")[2]}</div>' in shown(second)
    assert f'data:image/svg+xml;base64,{b64encode(plotted.encode()).decode()}" alt="A &lt; B"' in shown(third)
    assert second.parts[-1][1]


def test_a_demo_is_embedded_or_its_command_told():
    cell = text_cell(text="", demo="attention")
    for absent in (None, lambda name: None):
        assert "python -m minivit demo attention" in shown(deck([cell], demo=absent)[0])
    assert 'srcdoc="&lt;p&gt;attention"' in shown(deck([cell], demo=lambda name: f"<p>{name}")[0])


@pytest.mark.parametrize(("cell", "complaint"), [
    (text_cell(slide_type="subslide"), "slide_type: expected 'slide', 'fragment' or 'skip', got 'subslide'"),
    (text_cell(slide_type="fragment"), "a fragment needs a slide before it"),
    (text_cell(notes=" "), "notes: a slide needs a notes"),
    (text_cell(title=""), "title: a slide needs a title"),
    (text_cell(heading="x"), "slideshow has 'heading', expected code_lines, demo"),
    (code_cell("a = 1", code_lines="1-2"), "code_lines: expected growing numbers of 1 lines, got '1-2'"),
    (code_cell("a = 1", code_lines="one"), "expected line numbers such as '2-4, 7', got 'one'"),
    (code_cell("a = 1\n" * 20, code_lines="1-13"), f"13 lines of up to 5 characters; a slide has room for {LINES}"),
    (code_cell("a" * 81, code_lines="1"), f"1 lines of up to 81 characters; .* of {WIDTH}"),
    (code_cell("a = 1\nb = 2", code_lines="1", highlight="2"), r"highlight: lines \[2\] are not among"),
    (code_cell("a = 1", printed=True), "the cell prints nothing"),
    (code_cell("a = 1", [figure()], figure=2), "the cell has 1 figures, asked for number 2"),
    (new_markdown_cell("# T"), "no cell of this lesson has slide_type"),
])
def test_errors_name_the_cell_and_what_was_expected(cell, complaint):
    cell["id"] = "07-03"
    with pytest.raises(ValueError, match=complaint) as caught:
        deck([cell])
    assert "slideshow" not in cell.metadata or "cell 07-03" in str(caught.value)


def test_numbers_of_lines():
    assert lines_of("2-4, 7", 9, "code_lines") == [2, 3, 4, 7]
    for wrong in ("4-2", "2, 2", "0-1", "9-10"):
        with pytest.raises(ValueError, match="growing numbers of 9 lines"):
            lines_of(wrong, 9, "code_lines")


def test_the_file_needs_nothing_beside_it(tmp_path):
    path = tmp_path / "07_try.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# 07 Try"), text_cell(text="$x^2$", title="`x` grows"),
                                       code_cell("draw()", [figure()], figure=True)]), path)
    html = slides(path, ASSETS)
    assert "<title>07 Try</title>" in html
    assert all(text.replace("</script", "<\\/script") in html for text in ASSETS.values())
    assert "$x^2$" in html
    assert "<h2><code>x</code> grows</h2>" in html
    assert '<aside class="notes"><p>Say so.</p>' in html
    assert not re.findall(r"""(?:src|href|import|url)\s*[=(]?\s*["']?(?:https?:)?//[^"']*""", html)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_lesson_is_a_lecture(path):
    shown = deck(nbformat.read(path, as_version=4).cells)
    assert 20 <= len(shown) <= 25, f"{len(shown)} slides"
    assert shown[0].kind == "first"
    assert shown[-1].kind == "break"
    assert sum(slide.kind == "predict" for slide in shown) >= 3
    figures = [part for slide in shown for part, _ in slide.parts if 'class="figure"' in part]
    assert len(figures) >= 5
    for part in figures:
        assert re.search(r'<img [^>]*alt="[^"]+"|<svg [^>]*role="img".*<title>[^<]+', part, re.DOTALL), part[:200]
    for slide in shown:
        assert slide.parts or slide.kind == "predict", f"nothing below the title {slide.title!r}"
        assert len(slide.title.split()) >= 4, f"{slide.title!r}: a sentence that says the message"
        assert not slide.title.endswith((".", ":")), slide.title
        assert slide.title.endswith("?") == (slide.kind in ("predict", "break")), slide.title
        assert len(slide.notes.split()) >= 10, f"{slide.title!r}: notes that a lecturer can speak"
    assert len({slide.title for slide in shown}) == len(shown)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_slide_is_told_in_metadata_alone(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    given = [cell["metadata"]["slideshow"] for cell in cells if "slideshow" in cell["metadata"]]
    assert all("slide_type" in each for each in given)


@pytest.fixture
def address(monkeypatch):
    """Where a file is published, the only one that slides need."""
    monkeypatch.setattr(assets_module, "DELIVERY", "http://127.0.0.1:9/")
    monkeypatch.setattr(assets_module, "PUBLISHED", {"some@1.0/dist/reveal.js": hashlib.md5(b"let reveal").hexdigest()})
    return "http://127.0.0.1:9/some@1.0/dist/reveal.js"


def test_libraries_are_fetched_once_and_verified(address, tmp_path, monkeypatch):
    asked = []

    def download(url, path, md5):
        asked.append(url)
        path.write_bytes(b"let reveal")
    monkeypatch.setattr(assets_module, "download", download)
    for _ in range(2):
        assert assets_module.assets(tmp_path) == {"reveal.js": "let reveal"}
    assert asked == [address]
    (tmp_path / "reveal.js").write_bytes(b"broken")
    with pytest.raises(ValueError, match="expected the published file"):
        assets_module.assets(tmp_path)


def test_without_a_network_the_error_says_what_to_do(address, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConnectionError, match=f"slides need reveal.js once: .* Fetch {address} elsewhere, and put"):
        assets_module.assets(tmp_path)


def test_npm_is_asked_where_the_address_cannot_be_reached(address, tmp_path, monkeypatch):
    monkeypatch.setattr(assets_module, "packed", {"some@1.0/dist/reveal.js": b"let reveal"}.get)
    assert assets_module.assets(tmp_path) == {"reveal.js": "let reveal"}
    monkeypatch.setattr(assets_module, "packed", lambda file: b"something else")
    (tmp_path / "reveal.js").unlink()
    with pytest.raises(ValueError, match="expected the published file"):
        assets_module.assets(tmp_path)
    assert not (tmp_path / "reveal.js").exists()


def test_a_handout_needs_chromium(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handout.shutil, "which", lambda name: None)
    monkeypatch.setattr(assets_module, "assets", lambda: ASSETS)
    assert main(["slides", "17", "--pdf", "--out", str(tmp_path / "out.pdf")]) == 2
    assert "--pdf needs Chromium or Chrome: none of chromium, " in capsys.readouterr().err
    assert not (tmp_path / "out.pdf").exists()
