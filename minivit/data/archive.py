"""Where data sets are kept, and how their archives are unpacked there."""

import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path


def cache_folder():
    """Where data sets are kept: $MINIVIT_DATA if it is set, else `minivit` in the user's cache folder.

    Raises
    ------
    FileNotFoundError
        If that is below a home folder, and there is none.
    """
    try:
        return _cache_folder()
    except RuntimeError as error:  # of pathlib
        raise FileNotFoundError("no home folder for the cache of data sets; set MINIVIT_DATA to a folder where they "
                                f"may be kept ({error})") from error


def _cache_folder():
    if chosen := os.environ.get("MINIVIT_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minivit"


def unpack(archive, folder, names):
    """Unpack the named files of a tar archive, all or none, into a new `folder`.

    They lie in the archive under the folder's own name. Nothing else is unpacked, and only regular files are: no name
    or link in the archive decides where anything is written.

    Raises
    ------
    ValueError
        If the archive lacks one of the files.
    """
    missing = set(names)
    with tempfile.TemporaryDirectory(prefix=folder.name, dir=folder.parent) as scratch:
        unpacked = Path(scratch) / folder.name
        unpacked.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar:
                parent, _, name = member.name.removeprefix("./").rpartition("/")
                if parent == folder.name and name in missing and member.isreg():
                    with tar.extractfile(member) as source, open(unpacked / name, "wb") as target:
                        shutil.copyfileobj(source, target)
                    missing.remove(name)
        if missing:
            raise ValueError(f"{archive}: no regular file {', '.join(sorted(missing))} in a folder {folder.name}")
        os.replace(unpacked, folder)
