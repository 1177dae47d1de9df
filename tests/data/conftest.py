"""CIFAR in small: the published layouts with a handful of pictures, and a server on loopback that hands them out."""

import hashlib
import io
import pickle
import tarfile
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from minivit.data import cifar

TRAIN, TEST = 30, 6


class Published:
    """Random pictures in all published forms: `files[archive name]` is {file name: bytes}, `archives` the tar files."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.planes = {part: rng.integers(0, 256, (count, 3072), dtype=np.uint8)
                       for part, count in (("train", TRAIN), ("test", TEST))}
        self.labels = {(name, part): rng.integers(classes, size=len(self.planes[part]))
                       for name, classes in (("cifar10", 10), ("cifar100", 100)) for part in ("train", "test")}
        self.coarse = rng.integers(20, size=TRAIN + TEST)
        self.classes = {"cifar10": [f"class{k}" for k in range(10)], "cifar100": [f"fine_{k}" for k in range(100)]}
        self.files = {version.archive: dict(self._files(name, version))
                      for name in cifar.SETS for version in cifar.SETS[name].versions}

    def images(self, part):
        """The pictures, assembled pixel by pixel, independently of the loader."""
        images = np.empty((len(self.planes[part]), 32, 32, 3), np.uint8)
        for position in range(3072):
            channel, row, column = position // 1024, position % 1024 // 32, position % 32
            images[:, row, column, channel] = self.planes[part][:, position]
        return images

    def _files(self, name, version):
        binary = isinstance(version, cifar.BinaryVersion)
        for part, names in (("train", version.train), ("test", version.test)):
            for file, planes, labels in zip(names, np.split(self.planes[part], len(names)),
                                            np.split(self.labels[name, part], len(names)), strict=True):
                if binary:
                    coarse = [self.coarse[:len(labels)]] if name == "cifar100" else []
                    yield file, np.column_stack([*coarse, labels, planes]).astype(np.uint8).tobytes()
                else:
                    yield file, pickle.dumps({version.labels_key: labels.tolist(), "data": planes}, protocol=2)
        names = self.classes[name]
        yield version.names, ("\n".join(names) + "\n").encode() if binary else pickle.dumps({version.names_key: names})

    def archive(self, version):
        """The tar.gz file of a version."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, content in self.files[version.archive].items():
                member = tarfile.TarInfo(f"{version.folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return stream.getvalue()

    def write_folder(self, version, folder):
        """Write the unpacked files."""
        folder.mkdir(parents=True)
        for name, content in self.files[version.archive].items():
            (folder / name).write_bytes(content)


@pytest.fixture(scope="session")
def published():
    return Published()


@pytest.fixture
def small(published, monkeypatch):
    """Make the loader expect the small sets; gives {archive name: bytes}."""
    archives = {}
    for name, real in list(cifar.SETS.items()):
        versions = []
        for version in real.versions:
            content = archives[version.archive] = published.archive(version)
            versions.append(replace(version, md5=hashlib.md5(content).hexdigest()))
        monkeypatch.setitem(cifar.SETS, name, replace(real, train=TRAIN, test=TEST, versions=tuple(versions)))
    return archives


class Server:
    """An HTTP server on loopback.

    `files` maps names to contents. `ranges` tells whether it honours range requests; `breaks` holds for each of the
    next answers after how many bytes the connection breaks, which comes after `silence` seconds; `asked` lists the
    names and first bytes asked for.
    """

    def __init__(self):
        self.files, self.ranges, self.breaks, self.silence, self.asked = {}, True, [], 0, []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self, self.path.lstrip("/"))

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, request, name):
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.asked.append((name, start))
        if name not in self.files:
            return request.send_error(404)
        content = self.files[name]
        if not self.ranges:
            start = 0
        elif start >= len(content):
            return request.send_error(416)
        request.send_response(206 if self.ranges else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        if self.breaks:
            request.wfile.write(content[start:][:self.breaks.pop(0)])
            request.wfile.flush()
            time.sleep(self.silence)
        else:
            request.wfile.write(content[start:])
        request.close_connection = True
        return None


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("MINIVIT_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def closed():
    """An address where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    return f"http://127.0.0.1:{port}"
