"""All that Sphinx reads, as {path: content}, at the places that the files have in the repository."""

from importlib.metadata import distribution

from ...data.download import verify
from ..assets import PUBLISHED
from ..course import COURSE, FOLDER
from .demos import demo_pages
from .documents import document_pages
from .home import home
from .notebooks import lesson_page
from .reference import reference_pages

ROOT = FOLDER.parent


def sources(demos, page=None):
    """The sources of the site, with the demos as `build` takes them.

    Raises
    ------
    ValueError
        Outside a checkout of the repository: an installed package has no lessons.
    """
    written = [lesson for lesson in COURSE if lesson.path.exists()]
    if not written:
        raise ValueError(f"site: no notebooks in {FOLDER}; they are in the repository, not in an installed package")
    files, groups = document_pages(ROOT)
    for lesson in written:
        files |= lesson_page(lesson, ROOT, demos)
    files |= demo_pages(demos, page) | reference_pages()
    files |= home(ROOT, groups | ({"Demos": ["demos/index"]} if demos else {}) | {"Reference": ["reference/index"]})
    return files | {"extra/_static/tex-svg.js": mathjax()}


def mathjax():
    """The script that sets formulas, from the package that brings it; it must be the published file.

    Raises
    ------
    ValueError
        If it is not.
    """
    path = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    verify(path, next(md5 for address, md5 in PUBLISHED.items() if address.endswith("/tex-svg.js")))
    return path.read_bytes()
