"""The two JavaScript libraries that slides are made with, fetched once and kept: reveal.js and MathJax."""

import contextlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from ..data import cache_folder
from ..data.download import download, verify

DELIVERY = "https://cdn.jsdelivr.net/npm/"  # serves the files of npm's packages one by one
PATIENCE = 120  # seconds for a package
PUBLISHED = {  # package@version/file: MD5. Licences: MIT (reveal.js), Apache 2.0 (MathJax)
    "reveal.js@5.2.1/dist/reveal.js": "48de495ecf689d20087cfdc18ce77d3f",
    "reveal.js@5.2.1/dist/reveal.css": "dfeb30f7f80e87e7f46117c58f605bd7",
    "reveal.js@5.2.1/plugin/notes/notes.js": "d153b97a3d9f890141d5c51953286ef4",
    "mathjax@3.2.2/es5/tex-svg.js": "e767e9be86ed9a6bbe91b3908df7faf1",
}


def assets(folder=None):
    """The text of each file, {"reveal.js": ..., "reveal.css": ..., ...}, fetched if need be.

    From the address of the file; where that cannot be reached, and there is npm, from the package, by npm.

    Parameters
    ----------
    folder : Path, optional
        Where the files are kept; by default in the cache folder.

    Raises
    ------
    ConnectionError
        If a file is neither there nor to be had, with what to do.
    ValueError
        If a file is not the published one.
    """
    folder, texts = folder or cache_folder() / "slides", {}
    for file, md5 in PUBLISHED.items():
        path = folder / file.rpartition("/")[2]
        if path.exists():
            verify(path, md5)
        else:
            fetch(file, path, md5)
        texts[path.name] = path.read_text(encoding="utf-8")
    return texts


def fetch(file, path, md5):
    """Fetch a published file into `path`, and verify it."""
    try:
        download(DELIVERY + file, path, md5)
    except ConnectionError as error:
        content = packed(file)
        if content is None:
            raise ConnectionError(f"slides need {path.name} once: {error}. Fetch {DELIVERY + file} elsewhere, and put "
                                  f"it into {path.parent}") from error
        with TemporaryDirectory(dir=path.parent) as folder:
            arrived = Path(folder) / path.name
            arrived.write_bytes(content)
            verify(arrived, md5)
            os.replace(arrived, path)


def packed(file):
    """The content of "package@version/file" as npm has it, or None where there is no npm or it reaches nothing."""
    npm = shutil.which("npm")
    package, _, inside = file.partition("/")
    if npm is None:
        return None
    with TemporaryDirectory() as folder, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([npm, "pack", package, "--ignore-scripts", "--fetch-retries=0", f"--pack-destination={folder}"],
                       cwd=folder, capture_output=True, timeout=PATIENCE, check=False)
        for archive in Path(folder).glob("*.tgz"):
            with tarfile.open(archive) as tar:
                return tar.extractfile(f"package/{inside}").read()
    return None
