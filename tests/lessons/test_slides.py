"""A lesson as slides: what stands on which slide, and that the file needs nothing beside it."""

import hashlib
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minivit.lessons import assets as assets_module

pytest.importorskip("nbconvert")
from minivit.lessons.slides import LETTERS, arrange, slides, text_slides  # noqa: E402

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
ASSETS = {"reveal.js": "let reveal = '</script>'", "reveal.css": ".reveal {}", "tex-svg.js": "let mathjax"}


def figure():
    return new_output("display_data", {"image/png": PNG})


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def kinds(cells):
    return [cell.metadata.slideshow.slide_type for cell in cells]


def test_headings_tables_and_answers_start_slides():
    table, answer = "| a |\n|---|\n" + 40 * "| one |\n", "<details><summary>1?</summary>\n\nYes.\n\n</details>"
    text = f"# Title\n\n{20 * 'Word '}\n\n{table}\n\n{' '.join(20 * ['After'])}\n\n{answer}"
    arranged = text_slides(text)
    assert kinds(arranged) == ["slide", "subslide", "subslide", "subslide"]
    assert [cell.source.partition("\n")[0] for cell in arranged] == [
        "# Title", "| a |", " ".join(20 * ["After"]), "<details><summary>1?</summary>"]
    assert arranged[-1].source.endswith("</details>")
    assert len(text_slides(f"## Only a heading\n\n{table}")) == 1
    assert len(text_slides(f"And three words:\n\n{table}")) == 1


def test_a_small_table_stands_between_its_sentences():
    assert len(text_slides(f"{20 * 'Before '}\n\n| a |\n|---|\n| 1 |\n\n{20 * 'After '}")) == 1


def test_a_formula_stands_with_the_words_before_it():
    assert len(text_slides(f"{90 * 'Word '}\n\n$${40 * 'x +'} y.$$")) == 1


def test_indented_shapes_stay_code():
    assert text_slides("A walk:\n\n    (B, N) -> (B, V)\n\nAnd back.")[0].source == (
        "A walk:\n\n    (B, N) -> (B, V)\n\nAnd back.")


def test_long_text_takes_several_slides():
    paragraph = "word " * 50
    arranged = text_slides("\n\n".join([paragraph] * 5))
    assert len(arranged) == 3
    assert all(len(cell.source) <= LETTERS for cell in arranged)


def test_a_figure_stands_with_its_finding_and_its_code_behind_a_button():
    cell = new_code_cell("draw()", outputs=[printed("3\n2\n1\n0\n"), figure(), printed("3 pictures\n")])
    arranged = arrange([cell, new_markdown_cell("*It rises.* For a reason.\n\nThe next thought.")])
    assert [len(cell.outputs) for cell in arranged[:2]] == [1, 2]
    assert kinds(arranged) == ["subslide", "subslide", "-", "subslide"]
    assert [cell.metadata.get("tags") for cell in arranged[:2]] == [["folded"], ["folded"]]
    assert arranged[2].source == "*It rises.* For a reason."


def test_a_long_text_leaves_the_figure_its_space():
    cell, reasons = new_code_cell("draw()", outputs=[figure()]), "It rises for a reason. " * 15
    _, finding, rest = arrange([cell, new_markdown_cell(f"*It rises.* {reasons}")])
    assert (finding.source, rest.source) == ("*It rises.*", reasons.strip())
    assert kinds([finding, rest]) == ["-", "subslide"]
    _, bold = arrange([cell, new_markdown_cell(f"**Why?** {reasons}")])
    assert bold.source == f"**Why?** {reasons.strip()}"


def test_code_stands_below_a_short_text_if_it_is_short():
    short, long = (new_code_cell("a = 1\n" * lines, outputs=[printed("1\n")]) for lines in (1, 16))
    arranged = arrange([new_markdown_cell("Now:"), short, long])
    assert kinds(arranged) == ["subslide", "-", "subslide"]
    assert all(cell.metadata.tags == ["plain"] for cell in arranged[1:])


def test_much_that_is_printed_stands_for_itself():
    code, result = arrange([new_code_cell("a = 1\n" * 16, outputs=[printed("1\n" * 12)])])
    assert [len(cell.outputs) for cell in (code, result)] == [0, 1]
    assert [cell.metadata.tags for cell in (code, result)] == [["plain"], ["folded"]]


def test_long_code_is_cut_at_an_empty_line():
    double, triple = "def double(a):\n" + 10 * "    a = a\n\n", "def triple(a):\n" + 5 * "    a = a\n"
    first, second = arrange([new_code_cell(f"{double}\n{triple}", outputs=[printed("1\n")])])
    assert first.source.startswith("def double")
    assert (second.source, len(second.outputs)) == (triple.rstrip(), 1)
    assert first.outputs == []


def test_imports_progress_bars_and_what_is_skipped_are_not_shown():
    skipped = new_markdown_cell("Secret", metadata={"slideshow": {"slide_type": "skip"}})
    bar = new_code_cell("fit()", outputs=[printed("100%", "stderr"), printed("done\n")])
    imports, first, second = arrange([new_markdown_cell("# T"), new_code_cell("import numpy"), skipped, bar])
    assert (imports.source, first.source, second.outputs) == ("# T", "Secret", bar.outputs[1:])
    assert kinds([first]) == ["skip"]


def test_the_file_needs_nothing_beside_it(tmp_path):
    cells = [new_markdown_cell("# 07 Try\n\n$x^2$"), new_code_cell("draw()", outputs=[figure()])]
    cells.append(new_markdown_cell("Secret", metadata={"slideshow": {"slide_type": "skip"}}))
    path = tmp_path / "07_try.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    html = slides(path, ASSETS)
    assert "<title>07 Try</title>" in html
    assert all(text.replace("</script", "<\\/script") in html for text in ASSETS.values())
    assert f"data:image/png;base64,{PNG}" in html.replace("\n", "")
    assert "$x^2$" in html
    assert "Secret" not in html
    assert not re.findall(r"""(?:src|href|import|url)\s*[=(]?\s*["']?(?:https?:)?//[^"']*""", html)


@pytest.fixture
def address(monkeypatch):
    """Where a file is published, the only one that slides need."""
    address = "http://127.0.0.1:9/reveal.js"
    monkeypatch.setattr(assets_module, "PUBLISHED", {address: hashlib.md5(b"let reveal").hexdigest()})
    return address


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


def test_without_a_network_the_error_says_what_to_do(address, tmp_path):
    with pytest.raises(ConnectionError, match=f"slides need reveal.js once: .* Fetch {address} elsewhere, and put"):
        assets_module.assets(tmp_path)
