"""Files that a stop may cut off, and that several processes may want at once: old or new, never half."""

import contextlib
import errno
import json
import os
import secrets
import sys
from pathlib import Path


def write_atomically(path, content):
    """Replace a file by one with `content` (bytes or str); an error leaves the file as it was.

    The new file is written beside the old one under a name of its own, handed to the disk, and renamed.
    """
    path = Path(path)
    if isinstance(content, str):
        content = content.encode()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # Windows cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_if_changed(path, content):
    """Replace a file, as `write_atomically` does, unless it says the same already; returns whether it changed."""
    path = Path(path)
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == content:
        return False
    write_atomically(path, content)
    return True


def write_record(path, record):
    """Write what is known of something as a JSON file that people can read; the folder above is made if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record, indent=2) + "\n")


@contextlib.contextmanager
def locked(path, *, wait=True):
    """Hold the lock of a file or folder: `path`.lock beside it, which one holder in all processes can have at a time.

    The operating system frees it when the process ends, however it ends. The folder above `path` is made if need be.

    Parameters
    ----------
    path : path
    wait : bool
        Whether to wait, which is said in one line, until another holder is done.

    Raises
    ------
    BlockingIOError
        If there is another holder, and `wait` is False.
    """
    from filelock import FileLock, Timeout  # here, because it is slow to import

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            raise BlockingIOError(errno.EWOULDBLOCK, "another process is at work on it", str(path)) from None
        print(f"waiting for another process that is at work on {path}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
