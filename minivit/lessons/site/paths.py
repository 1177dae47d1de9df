"""Links in the repository, as the site has them: what is a page there, and what a reader downloads."""

import posixpath
import re

LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]*)(?P<place>#[^)\s]*)?(?=[)\s])")  # in [text](path#place): no scheme
PAGES = {".md", ".ipynb"}
FIRST = ("__init__.py", "README.md")  # what a link to a folder means; else the list of its pages
LEFT_OUT = ("minivit.__main__", "minivit.cli", "minivit.lessons.site")  # commands tell of themselves: --help
RENAMED = {"lessons/README.md": "index.md"}


def with_links(text, page, root):
    """Markdown whose links lead to pages of the site, and the files that it shows or offers.

    A link to a part of the package leads to its page in the reference, one to another folder to that folder's page;
    any other file is copied, for a picture to be shown and the rest to be downloaded.

    Parameters
    ----------
    text : str
    page : str
        Where the text stands, from the root: "docs/gpu.md".
    root : Path
        Of the repository.

    Returns
    -------
    str, {str: bytes}
    """
    here, copies = posixpath.dirname(page), {}

    def moved(match):
        place = anchor(match["place"] or "")
        target = posixpath.normpath(posixpath.join(here, match["path"]))
        path = root / target
        if not match["path"]:
            return place
        if target.startswith("..") or not path.exists():
            return match[0]
        if path.is_dir():
            target = next((f"{target}/{name}" for name in FIRST if (path / name).exists()), f"{target}/index.md")
            path = root / target
        if target.startswith("minivit/") and target.endswith(".py") and in_reference(module_name(target)):
            target = f"reference/{module_name(target)}.rst"
        elif path.is_file() and path.suffix not in PAGES:
            copies[target] = path.read_bytes()
        target = RENAMED.get(target, target)
        return posixpath.relpath(target, here or ".") + place
    return LINK.sub(moved, text), copies


def anchor(place):
    """A heading's anchor as Jupyter or GitHub writes it, in GitHub's manner: "#2.-The-claims" -> "#2-the-claims"."""
    return re.sub(r"[^\w#-]", "", place.lower())


def module_name(path):
    """"minivit/models/vit.py" -> "minivit.models.vit"."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def in_reference(module):
    """Whether a module has a page in the reference."""
    return not module.startswith(LEFT_OUT) and not module.rpartition(".")[2].startswith("_")


def toctree(pages, caption=""):
    """The directive that puts pages into the contents, in this order."""
    head = f":caption: {caption}\n" if caption else ""
    return "\n```{toctree}\n:hidden:\n" + head + "\n" + "\n".join(pages) + "\n```\n"
