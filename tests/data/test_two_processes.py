"""Several processes that want the same set at once: one downloads, one unpacks, and all have it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minivit.data import cifar

ROOT = Path(__file__).parents[2]
LOADER = """
import json, sys
from dataclasses import replace
from minivit import data
from minivit.data import cifar
checksums, address = json.loads(sys.argv[1]), sys.argv[2]
real = cifar.SETS["cifar10"]
versions = tuple(replace(version, md5=checksums[version.archive]) for version in real.versions)
cifar.SETS["cifar10"] = replace(real, train=30, test=6, versions=versions)
print("ready", flush=True)
sys.stdin.readline()
train, test = data.load("auto", address=address)
print(train.name, int(train.images.sum()))
"""


@pytest.fixture
def load(small, cache):
    """load(address, count): what so many processes say that load at the same moment."""
    checksums = json.dumps({version.archive: version.md5 for version in cifar.SETS["cifar10"].versions})

    def run(address, count):
        processes = [subprocess.Popen([sys.executable, "-c", LOADER, checksums, address], cwd=ROOT, text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                     for _ in range(count)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60) for process in processes]
        assert [process.returncode for process in processes] == [0] * count, said
        return [out for out, _ in said]
    return run


def test_one_process_downloads_and_the_others_wait_for_it(load, small, server, cache, published):
    server.files = small
    server.breaks, server.silence = [1000], 1.0  # slow enough that all of them come while one is at it
    assert load(server.address, 3) == [f"cifar10 {published.images('train').sum()}\n"] * 3
    assert server.asked == [("cifar-10-binary.tar.gz", 0), ("cifar-10-binary.tar.gz", 1000)]


def test_an_archive_in_the_cache_is_unpacked_once(load, small, closed, cache, published):
    cache.mkdir()
    (cache / "cifar-10-binary.tar.gz").write_bytes(small["cifar-10-binary.tar.gz"])
    assert load(closed, 4) == [f"cifar10 {published.images('train').sum()}\n"] * 4
    assert sorted(path.name for path in cache.iterdir()) == [
        "cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz.lock"]
