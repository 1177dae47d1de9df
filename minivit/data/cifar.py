"""CIFAR-10 and CIFAR-100.    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

60,000 pictures of 32x32 pixels: 50,000 to train on, 10,000 to test, in ten or a hundred classes. Files, formats and
checksums are those of https://www.cs.toronto.edu/~kriz/cifar.html. In the binary version a picture is a record of
bytes, three planes of 1,024 pixels each behind one label or two:

    CIFAR-10: label | red | green | blue        CIFAR-100: coarse label | fine label | red | green | blue

The Python version has the same planes in pickled arrays. Of CIFAR-100 the fine labels are used.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files import locked
from .archive import cache_folder, unpack
from .dataset import Dataset
from .download import download, verify
from .pickles import load_arrays

ADDRESS = "https://www.cs.toronto.edu/~kriz"
SIZE = 32


@dataclass(frozen=True)
class Version:
    """One published form of a set: its archive, and the files in the folder that the archive holds."""

    archive: str
    md5: str
    folder: str
    train: tuple
    test: tuple
    names: str

    @property
    def files(self):
        """All file names that the folder must have."""
        return (*self.train, *self.test, self.names)

    def missing(self, folder):
        """The names of those that a folder lacks."""
        return [file for file in self.files if not (folder / file).is_file()]


@dataclass(frozen=True)
class BinaryVersion(Version):
    """Records of bytes: `label_bytes` labels, of which the last is used, and the planes."""

    label_bytes: int

    def read(self, path, count):
        """`count` pictures and labels.    -> uint8 (count, 3072), uint8 (count,)"""
        record = self.label_bytes + 3 * SIZE * SIZE
        if path.stat().st_size != count * record:
            raise ValueError(f"{path}: expected {count * record} bytes ({count} records of {record}), "
                             f"got {path.stat().st_size}")
        records = np.fromfile(path, np.uint8).reshape(count, record)  # (count, record)
        return records[:, self.label_bytes:], records[:, self.label_bytes - 1]

    def read_names(self, path):
        """The names of the classes, one a line."""
        return tuple(path.read_text(encoding="ascii").split())


@dataclass(frozen=True)
class PythonVersion(Version):
    """Pickled dictionaries: the planes under "data", the labels and the names of the classes under two other keys."""

    labels_key: str
    names_key: str

    def read(self, path, count):
        """`count` pictures and labels.    -> uint8 (count, 3072), int64 (count,)"""
        content = _entries(path, "data", self.labels_key)
        planes, labels = content["data"], np.asarray(content[self.labels_key])
        shape = (count, 3 * SIZE * SIZE)
        if not isinstance(planes, np.ndarray) or planes.dtype != np.uint8 or planes.shape != shape:
            raise ValueError(f"{path}: expected a uint8 array {shape} under 'data'")
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise ValueError(f"{path}: expected {count} integers under {self.labels_key!r}")
        return planes, labels

    def read_names(self, path):
        """The names of the classes."""
        return tuple(_entries(path, self.names_key)[self.names_key])


def _entries(path, *keys):
    content = load_arrays(path)
    if not isinstance(content, dict) or not all(key in content for key in keys):
        raise ValueError(f"{path}: expected a pickled dictionary with {' and '.join(map(repr, keys))}")
    return content


@dataclass(frozen=True)
class Cifar:
    """One of the two sets: how many pictures and classes it has, and the forms that it is published in."""

    name: str
    train: int
    test: int
    classes: int
    versions: tuple


BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))

SETS = {
    "cifar10": Cifar("cifar10", train=50_000, test=10_000, classes=10, versions=(
        BinaryVersion("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin",
                      tuple(f"{batch}.bin" for batch in BATCHES), ("test_batch.bin",), "batches.meta.txt",
                      label_bytes=1),
        PythonVersion("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py",
                      BATCHES, ("test_batch",), "batches.meta", "labels", "label_names"))),
    "cifar100": Cifar("cifar100", train=50_000, test=10_000, classes=100, versions=(
        BinaryVersion("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", "cifar-100-binary",
                      ("train.bin",), ("test.bin",), "fine_label_names.txt", label_bytes=2),
        PythonVersion("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", "cifar-100-python",
                      ("train",), ("test",), "meta", "fine_labels", "fine_label_names"))),
}


def load_cifar(name, root=None, *, address=ADDRESS):
    """The training and the test set of "cifar10" or "cifar100", downloaded first if need be.

    Parameters
    ----------
    name : str
    root : path, optional
        Where the set is, as `find` understands it, or is to be put; the default is the cache folder.
    address : str
        The folder of the archives on the web.

    Returns
    -------
    train, test : Dataset
        images uint8 (50000, 32, 32, 3) and (10000, 32, 32, 3).
    """
    root = cache_folder() if root is None else Path(root)
    found = find(name, root)
    if found is None:
        version = SETS[name].versions[0]
        download(f"{address}/{version.archive}", root / version.archive, version.md5)
        found = find(name, root)
    return read(name, *found)


def find(name, root):
    """Look for a set in a folder; an archive of it there is verified and unpacked.

    Parameters
    ----------
    name : str
    root : pathlib.Path
        A folder that holds the unpacked folder or an archive, or the unpacked folder itself.

    Returns
    -------
    (Version, pathlib.Path) or None
        What was found, and the unpacked folder.
    """
    versions = SETS[name].versions
    for version in versions:
        for folder in (root / version.folder, root):
            if not version.missing(folder):
                return version, folder
    for version in versions:
        folder, archive = root / version.folder, root / version.archive
        if archive.is_file() and not folder.exists():
            with locked(archive):
                if not folder.exists():  # else another process has unpacked it meanwhile
                    verify(archive, version.md5)
                    unpack(archive, folder, version.files)
        if folder.is_dir():
            if missing := version.missing(folder):
                raise ValueError(f"{folder}: incomplete, {', '.join(missing)} missing; complete or remove the folder")
            return version, folder
    return None


def there(name, root):
    """Whether a set lies in a folder, unpacked or as an archive; nothing is read or unpacked."""
    return any((root / version.archive).is_file() or not version.missing(root / version.folder)
               for version in SETS[name].versions)


def read(name, version, folder):
    """The training and the test set in an unpacked folder, their sizes and labels checked."""
    cifar = SETS[name]
    classes = version.read_names(folder / version.names)
    if len(classes) != cifar.classes:
        raise ValueError(f"{folder / version.names}: expected {cifar.classes} names of classes, got {len(classes)}")

    def split(files, count):
        images, labels = np.empty((count, SIZE, SIZE, 3), np.uint8), np.empty(count, np.int64)
        share = count // len(files)
        for k, file in enumerate(files):
            part = slice(k * share, (k + 1) * share)
            planes, labels[part] = version.read(folder / file, share)
            for channel, plane in enumerate(np.split(planes, 3, axis=1)):  # (share, H*W)
                images[part, ..., channel] = plane.reshape(share, SIZE, SIZE)  # (share, H, W)
            if labels[part].min() < 0 or labels[part].max() >= cifar.classes:
                raise ValueError(f"{folder / file}: expected labels from 0 to {cifar.classes - 1}, "
                                 f"got {labels[part].min()} to {labels[part].max()}")
        return Dataset(images, labels, classes, name)

    return split(version.train, cifar.train), split(version.test, cifar.test)
