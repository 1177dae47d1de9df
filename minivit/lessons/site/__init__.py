"""The course as a website: lessons with the outputs of their full runs, demos, results, teaching, the reference.

    FOLDER/source       what Sphinx reads: copies of lessons and documents, and pages that are written here
    FOLDER/html         the site; index.html opens from the disk as well as from a server
    FOLDER/doctrees     what Sphinx remembers, so that the next build is quick

Sphinx, myst-nb and the theme come from requirements-site.txt. The theme is Furo: its contents stay at the left and
those of the page at the right, it is plain HTML and one small script, asks no other host for anything, and takes its
colours for light and dark as settings, which viz/palette.py fills. Docstrings in numpydoc's form are read by Sphinx's
own napoleon, which takes a third of the time of numpydoc's extension.
"""

from importlib.util import find_spec
from pathlib import Path

from .sources import sources
from .tree import write_tree

NEEDED = ("sphinx", "myst_nb", "furo", "sphinx_copybutton", "sphinx-mathjax-offline")
MARK = ".minivit-site"  # what a folder of this command holds, so that nobody else's files are taken for old pages


def missing():
    """The packages that building needs and that are not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def build(folder, demos=None, page=None):
    """Build the site.

    Parameters
    ----------
    folder : path
        Where; it is made if need be.
    demos : {str: module}, optional
        The live demos by name; a module says what its demo is about.
    page : function, optional
        page(name) is the HTML text of a demo.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    ValueError
        If packages are missing, if the folder holds other things, or if Sphinx gives up.
    """
    if missing():
        raise ValueError(f"building the site needs {', '.join(missing())}: "
                         "python -m pip install -r requirements-site.txt")
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ValueError(f"out: {folder} holds other files; name a folder that is empty, or not there yet")
    from sphinx.cmd.build import main  # here, because the command's help does not need it
    files = sources(demos or {}, page)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    write_tree(folder / "source", files)
    html = folder / "html"
    if main(["--quiet", "-b", "html", "-c", str(Path(__file__).parent), "-d", str(folder / "doctrees"),
             str(folder / "source"), str(html)]):
        raise ValueError(f"out: Sphinx has not made {html}; its message stands above")
    return html / "index.html"
