"""Fetching one file over HTTP, so that a broken or interrupted download loses nothing."""

import hashlib
import os
import queue
import threading
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException

from ..bars import bar
from ..files import locked

PATIENCE = 10  # seconds to wait for an answer, and for more of it
CHUNK = 1 << 18  # bytes


def download(url, path, md5):
    """Fetch `url` into `path`, showing a progress bar, and verify its MD5 checksum.

    Of several processes, one downloads and the others wait for it. What has come is kept in `path`.partial: after a
    break the download goes on from there, at once or in a later call (range requests, RFC 9110, section 14), or starts
    again where the server does not offer that. `path` itself appears only when it is complete and verified.

    Raises
    ------
    ConnectionError
        If the address gives no answer within ten seconds, refuses, or the connection breaks for good.
    ValueError
        If what came is not the file with this checksum.
    """
    with locked(path):
        if path.exists():  # another process has fetched it meanwhile
            verify(path, md5)
        else:
            _download(url, path, md5)


def _download(url, path, md5):
    partial = path.with_name(path.name + ".partial")
    with bar(desc=path.name, unit="B", unit_scale=True, unit_divisor=1024, delay=0.5) as progress:
        kept = _size(partial)
        while not _fetch_rest(url, partial, progress):
            if _size(partial) <= kept:
                raise _failure(url, partial, "the connection breaks again and again")
            kept = _size(partial)
    try:
        verify(partial, md5)
    except ValueError:
        partial.unlink()
        raise
    os.replace(partial, path)


def verify(path, md5):
    """Raise ValueError unless the file has this MD5 checksum."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise ValueError(f"{path}: expected the published file, MD5 {md5}, got {_size(path)} bytes with MD5 {found}")


def _fetch_rest(url, partial, progress):
    """Append to `partial` what it lacks, over one connection; returns whether it is complete then."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={_size(partial)}-"})
    try:
        response = _open(request)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and _size(partial) > 0:
            return True  # it lacks nothing
        raise _failure(url, partial, f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _failure(url, partial, f"cannot be reached: {getattr(error, 'reason', error)}") from error

    goes_on = response.status == HTTPStatus.PARTIAL_CONTENT
    with response, open(partial, "ab" if goes_on else "wb") as file:
        length = response.headers["Content-Length"]
        progress.n = progress.initial = file.tell()
        progress.total = None if length is None else file.tell() + int(length)
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (OSError, HTTPException):
                return False
            if not chunk:
                return progress.total is None or file.tell() == progress.total
            file.write(chunk)
            progress.update(len(chunk))


def _open(request):
    """urlopen, given up after PATIENCE seconds in all.

    Its own timeout does not cover looking up the name, and starts anew for each of a name's addresses.
    """
    answers = queue.SimpleQueue()

    def ask():
        try:
            answers.put(urllib.request.urlopen(request, timeout=PATIENCE))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except queue.Empty:
        raise TimeoutError(f"no answer within {PATIENCE} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _failure(url, partial, reason):
    kept = f"; the {_size(partial)} bytes that came are kept, and the next try goes on from there"
    return ConnectionError(f"{url}: {reason}" + (kept if _size(partial) else ""))


def _size(path):
    return path.stat().st_size if path.exists() else 0
