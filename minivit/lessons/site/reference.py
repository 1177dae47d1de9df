"""The reference: a page for each module, whose text is its docstrings; a package lists what it offers.

The contents at the left name the packages only: the theme writes them into every page.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

from .docstrings import escaped
from .paths import in_reference

PACKAGE = Path(__file__).parents[2]
FIRST = ("engine", "tensor", "ops", "nn", "models", "tasks", "data", "train", "viz", "interop", "lessons", "grading")

MODULE = """
.. automodule:: {name}
   :members:
   :member-order: bysource
   :show-inheritance:
"""


def reference_pages():
    """The pages, {path: text}."""
    names = ["minivit", *sorted(filter(in_reference, every_module()))]
    top = sorted(children("minivit", names), key=place)
    pages = {f"reference/{name}.rst": module_page(name, children(name, names)) for name in names}
    pages |= {page: ":orphan:\n\n" + text for page, text in pages.items() if page[10:-4] not in top}
    return pages | {"reference/index.rst": index_page(top)}


def every_module():
    """The names of all modules below the package."""
    return (module.name for module in pkgutil.walk_packages([str(PACKAGE)], "minivit."))


def children(package, names):
    """The modules directly below a package."""
    return [name for name in names if name.rpartition(".")[0] == package]


def place(name):
    """Where a part of the package stands in the reference: what a reader meets first comes first."""
    part = name.removeprefix("minivit.")
    return FIRST.index(part) if part in FIRST else len(FIRST), part


def index_page(names):
    """Where the reference begins."""
    return (heading("The reference") + "\nWhat stands in the docstrings, module by module, from the engine upwards.\n"
            + listing({name: module_docstring(name) for name in names})
            + "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {name}\n" for name in names))


def module_page(name, inside):
    """A module's docstring and its members; of a package also the names that it offers, and its modules."""
    text = heading(name) + MODULE.format(name=name)
    if inside and name != "minivit":
        offered = offered_names(name)
        text += "\n" + heading("What it offers", "-") + listing(offered) if offered else ""
        text += "\n" + heading("Its files", "-") + listing({name: module_docstring(name) for name in inside})
    return text


def offered_names(package):
    """{full name: docstring} of the functions and classes that a package takes from its own modules, from A to Z."""
    found = {}
    for name, value in sorted(vars(importlib.import_module(package)).items(), key=lambda item: item[0].lower()):
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith(f"{package}.") \
                and value.__name__ == name and not name.startswith("_"):
            found[f"{value.__module__}.{name}"] = inspect.getdoc(value) or ""
    return found


def module_docstring(name):
    """Read from the file: some modules need a GPU's libraries to be imported."""
    return ast.get_docstring(ast.parse(Path(find_spec(name).origin).read_text(encoding="utf-8"))) or ""


def heading(text, line="="):
    """A heading of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def listing(docstrings):
    """Names, each with the first sentence of its docstring."""
    return "\n" + "".join(f"- :py:obj:`~{name}`: {escaped(first_sentence(text))}\n"
                          for name, text in docstrings.items())


def first_sentence(text):
    """What a docstring begins with, up to a full stop, a colon, or shapes."""
    return re.split(r"(?<=[.:])\s|\n\n|    ", text, maxsplit=1)[0].replace("\n", " ").rstrip(":")
