"""The two JavaScript libraries that slides are made with, fetched once and kept: reveal.js and MathJax."""

import tarfile

from ..data import cache_folder
from ..data.download import download, verify

REGISTRY = "https://registry.npmjs.org"
ARCHIVES = {  # (archive, MD5): the files in it. Licences: MIT (reveal.js), Apache 2.0 (MathJax)
    ("reveal.js/-/reveal.js-5.2.1.tgz", "a49de449bad95f27d8f763bc17d052f2"): ("dist/reveal.js", "dist/reveal.css"),
    ("mathjax/-/mathjax-3.2.2.tgz", "736b3f3f34fbcc6f42eee2758faab7bc"): ("es5/tex-svg.js",),
}


def assets(folder=None, registry=REGISTRY):
    """The text of each file, {"reveal.js": ..., "reveal.css": ..., "tex-svg.js": ...}, downloaded if need be.

    Parameters
    ----------
    folder : Path, optional
        Where the archives are kept; by default in the cache folder.
    registry : str
        The npm registry, or a mirror of it.

    Raises
    ------
    ConnectionError
        If an archive is neither there nor to be had, with what to do.
    """
    folder, texts = folder or cache_folder() / "slides", {}
    for (archive, md5), names in ARCHIVES.items():
        path = folder / archive.rpartition("/")[2]
        try:
            if path.exists():
                verify(path, md5)
            else:
                download(f"{registry}/{archive}", path, md5)
        except ConnectionError as error:
            raise ConnectionError(f"slides need {path.name} once: {error}. Fetch {REGISTRY}/{archive} elsewhere, and "
                                  f"put it into {folder}") from error
        with tarfile.open(path) as tar:
            for name in names:
                texts[name.rpartition("/")[2]] = tar.extractfile(f"package/{name}").read().decode("utf-8")
    return texts
