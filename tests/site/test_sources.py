"""What the site is made from: links, names in prose, docstrings, a folder; and what the command refuses."""

import json
import os
import sys
from types import SimpleNamespace

import pytest

from minivit.__main__ import main
from minivit.lessons import site
from minivit.lessons.site.documents import document_pages
from minivit.lessons.site.notebooks import lesson_page
from minivit.lessons.site.paths import with_links
from minivit.lessons.site.tree import write_tree

FILES = {"README.md": "# A", "docs/gpu.md": "# B", "docs/a.png": "picture", "minivit/nn/linear.py": "",
         "minivit/nn/__init__.py": "", "minivit/cli/__init__.py": "", "minivit/cli/data.py": "",
         "lessons/06_vit.ipynb": "{}", "lessons/README.md": "# C", "docs/decisions/001.md": "# D",
         "benchmarks/README.md": "# E"}


@pytest.fixture
def root(tmp_path):
    """A small repository."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("link, page, moved", [
    ("gpu.md", "docs/scaling.md", "gpu.md"),
    ("../minivit/nn/linear.py", "docs/gpu.md", "../reference/minivit.nn.linear.rst"),
    ("minivit/nn", "README.md", "reference/minivit.nn.rst"),
    ("minivit/cli/data.py", "README.md", "minivit/cli/data.py"),
    ("docs/decisions/", "README.md", "docs/decisions/index.md"),
    ("benchmarks", "README.md", "benchmarks/README.md"),
    ("lessons/", "README.md", "index.md"),
    ("../lessons/06_vit.ipynb#2.-The-claims,-found", "docs/claims.md", "../lessons/06_vit.ipynb#2-the-claims-found"),
    ("#2.-Where", "lessons/06_vit.ipynb", "#2-where"),
    ("https://arxiv.org/abs/2010.11929#S1", "README.md", "https://arxiv.org/abs/2010.11929#S1"),
    ("nowhere.md", "README.md", "nowhere.md"),
    ("../../outside.md", "docs/gpu.md", "../../outside.md"),
])
def test_links_lead_to_pages_of_the_site(link, page, moved, root):
    assert with_links(f"See [it]({link}).", page, root)[0] == f"See [it]({moved})."


def test_what_is_no_page_is_copied(root):
    text = "![A picture](a.png), [a file](../minivit/cli/data.py), [a page](gpu.md)"
    assert with_links("[a folder](minivit/cli)", "README.md", root) == ("[a folder](minivit/cli/__init__.py)",
                                                                       {"minivit/cli/__init__.py": b""})
    assert with_links(text, "docs/scaling.md", root)[1] == {"docs/a.png": b"picture", "minivit/cli/data.py": b""}


def test_a_figure_of_a_lesson_has_alt_text(root):
    described = "<svg xmlns='http://www.w3.org/2000/svg'><desc>Loss falls.</desc></svg>"
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# 06 ViT\n", "\n", "## Two runs"]}]
    for data, metadata in (({"image/svg+xml": [described], "image/png": ""}, {}), ({"image/png": ""}, {}),
                           ({"image/png": ""}, {"slideshow": {"title": "Both learn"}}), ({"text/plain": "1"}, {})):
        cells.append({"cell_type": "code", "metadata": metadata, "source": "", "outputs": [{"data": data}]})
    path = root / "lessons/06_vit.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    pages = lesson_page(SimpleNamespace(path=path, name="vit", number="06"), root, {})
    shown = [cell["metadata"].get("mystnb") for cell in json.loads(pages["lessons/06_vit.ipynb"])["cells"][2:]]
    assert shown == [{"image": {"alt": alt}} for alt in ("Loss falls.", "Two runs", "Both learn")] + [None]


def test_a_document_finds_its_place_when_it_is_there(root):
    files, groups = document_pages(root)
    assert groups == {"Results": ["benchmarks/README"], "The code": ["README", "docs/decisions/index", "docs/gpu"]}
    assert "- [](<001.md>)" in files["docs/decisions/index.md"]
    (root / "docs/claims.md").write_text("# F", encoding="utf-8")
    assert document_pages(root)[1]["Results"] == ["docs/claims", "benchmarks/README"]


@pytest.mark.parametrize("text, linked", [
    ("see arXiv:2010.11929, section 3", ["arXiv:2010.11929"]),
    ("arXiv 2103.14030v2 and 2111.06377.", ["2103.14030v2", "2111.06377"]),
    ("a loss of 2010.119, 12010.11929 or 2013.14030", []),
    ("as lesson 03 and lesson 48 say", ["lesson 03"]),
    ("lesson 06 is this page", []),
])
def test_papers_and_written_lessons_become_links(text, linked):
    links = pytest.importorskip("minivit.lessons.site.links", reason="needs sphinx: requirements-site.txt")
    pieces = links.pieces(text, page="lessons/06_vit")
    assert [piece.astext() for piece in pieces if piece.tagname != "#text"] == linked
    assert "".join(piece.astext() for piece in pieces) == text


def test_a_name_means_what_its_module_means():
    names = pytest.importorskip("minivit.lessons.site.names", reason="needs sphinx: requirements-site.txt")
    assert names.full_name("Verdict", "minivit.lessons.outcome") == "minivit.lessons.verdict.Verdict"
    assert names.full_name("Verdict", "minivit.grading.marking") == "minivit.grading.verdict.Verdict"
    assert names.full_name("Verdict", "minivit.engine") is None
    assert names.full_name("MIME", "minivit.lessons.outcome") is None


def test_docstrings_become_what_sphinx_reads():
    from minivit.lessons.site.docstrings import readable
    table, section = ["    B  batch", "    N  tokens", ""], ["Parameters", "----------", "*args : array"]
    lines = ["|x| of x_, `a_` and x@1.    (B, N) -> (B,)", "", *table, *section]
    first = [r"\|x\| of x\_, `a_` and x\@1.", "", "``(B, N) -> (B,)``", "", ""]
    assert readable(lines) == [*first, "::", "", *table, *section]


def test_a_folder_holds_just_the_files_and_what_is_the_same_keeps_its_time(tmp_path):
    write_tree(tmp_path, {"a.md": "one", "b/c.md": "two", "d.png": b"three"})
    os.utime(tmp_path / "a.md", (1, 1))
    write_tree(tmp_path, {"a.md": "one", "d.png": b"four"})
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.md", "d.png"}
    assert (tmp_path / "a.md").stat().st_mtime == 1
    assert (tmp_path / "d.png").read_bytes() == b"four"


def test_the_command_says_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(site, "missing", lambda: ["furo"])
    assert main(["site", "--out", str(tmp_path / "new")]) != 0
    assert "needs furo: python -m pip install -r requirements-site.txt" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_nobody_elses_folder_is_written_into(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(site, "missing", lambda: [])
    (tmp_path / "thesis.tex").touch()
    assert main(["site", "--out", str(tmp_path)]) != 0
    assert f"out: {tmp_path} holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_installed_package_has_no_site(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "missing", lambda: [])
    monkeypatch.setattr(sys.modules["minivit.lessons.site.sources"], "COURSE", [])
    with pytest.raises(ValueError, match="not in an installed package"):
        site.build(tmp_path / "new")
    assert not (tmp_path / "new").exists()
