"""The two JavaScript libraries that slides are made with, fetched once and kept: reveal.js and MathJax."""

from ..data import cache_folder
from ..data.download import download, verify

PUBLISHED = {  # address: MD5. Licences: MIT (reveal.js), Apache 2.0 (MathJax)
    "https://cdn.jsdelivr.net/npm/reveal.js@5.2.1/dist/reveal.js": "48de495ecf689d20087cfdc18ce77d3f",
    "https://cdn.jsdelivr.net/npm/reveal.js@5.2.1/dist/reveal.css": "dfeb30f7f80e87e7f46117c58f605bd7",
    "https://cdn.jsdelivr.net/npm/mathjax@3.2.2/es5/tex-svg.js": "e767e9be86ed9a6bbe91b3908df7faf1",
}


def assets(folder=None):
    """The text of each file, {"reveal.js": ..., "reveal.css": ..., "tex-svg.js": ...}, downloaded if need be.

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
    for address, md5 in PUBLISHED.items():
        path = folder / address.rpartition("/")[2]
        try:
            if path.exists():
                verify(path, md5)
            else:
                download(address, path, md5)
        except ConnectionError as error:
            raise ConnectionError(f"slides need {path.name} once: {error}. Fetch {address} elsewhere, and put it into "
                                  f"{folder}") from error
        texts[path.name] = path.read_text(encoding="utf-8")
    return texts
