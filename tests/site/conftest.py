"""The site that the tests look at, built once: lessons, documents, the whole reference, and two of the demos."""

import contextlib
import io
import warnings

import pytest

from minivit import demos
from minivit.lessons import site as site_module


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; the file `warnings` beside it has what Sphinx said. Skips without Sphinx."""
    if site_module.missing():
        pytest.skip(f"needs {', '.join(site_module.missing())}: requirements-site.txt")
    folder, said = tmp_path_factory.mktemp("site"), io.StringIO()
    shown = {name: demos.find_demo(name) for name in ("attention", "windows")}  # the quickest to write
    with contextlib.redirect_stderr(said), warnings.catch_warnings(action="ignore"):  # Python's, of Sphinx's extensions
        first = site_module.build(folder / "site", shown, demos.page)
    (folder / "site" / "warnings").write_text(said.getvalue(), encoding="utf-8")
    return first.parent.resolve()
