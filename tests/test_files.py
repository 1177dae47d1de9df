"""Files that are old or new, never half; locks that hold between processes, and die with their holder."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minivit import files
from minivit.files import locked, write_atomically, write_if_changed

ROOT = Path(__file__).parents[1]
HOLDER = ("import sys, time; from minivit.files import locked\n"
          "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)")
WRITER = ("import sys; from minivit.files import write_atomically\n"
          "for _ in range(100): write_atomically(sys.argv[1], sys.argv[2] * 50_000)")
COUNTER = ("import sys; from pathlib import Path; from minivit.files import locked\n"
           "path = Path(sys.argv[1])\n"
           "for _ in range(100):\n"
           "    with locked(path): path.write_text(str(int(path.read_text()) + 1))")


def process(program, *arguments):
    """A Python process that runs a program, its output to be read."""
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path/data."""
    other = process(HOLDER, tmp_path / "data")
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.wait()


def test_nothing_but_the_file_is_left(tmp_path):
    for content in ["first", b"second"]:
        write_atomically(tmp_path / "c", content)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert (tmp_path / "c").read_text() == "second"


def test_a_file_that_says_the_same_is_not_written(tmp_path):
    path = tmp_path / "c"
    assert write_if_changed(path, "first")
    inode = path.stat().st_ino  # of the file that a write would replace
    assert not write_if_changed(path, b"first")
    assert path.stat().st_ino == inode
    assert write_if_changed(path, "second")
    assert path.read_text() == "second"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, failing):
    write_atomically(tmp_path / "c", "old")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "c", "new")
    monkeypatch.undo()
    assert (tmp_path / "c").read_text() == "old"
    assert os.listdir(tmp_path) == ["c"]


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is being read")
def test_of_two_writers_the_file_is_always_one_of_theirs(tmp_path):
    path = tmp_path / "c"
    write_atomically(path, "a" * 50_000)
    writers = [process(WRITER, path, letter) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        assert path.read_text() in ("a" * 50_000, "b" * 50_000)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["c"]


def test_one_process_at_a_time_has_the_lock(tmp_path):
    path = tmp_path / "count"
    path.write_text("0")
    counters = [process(COUNTER, path) for _ in range(3)]
    assert [counter.wait() for counter in counters] == [0, 0, 0]
    assert path.read_text() == "300"


def test_who_does_not_want_to_wait_is_told(holder, tmp_path):
    with pytest.raises(BlockingIOError, match="another process is at work on it") as caught, \
            locked(tmp_path / "data", wait=False):
        pass
    assert caught.value.filename == str(tmp_path / "data")


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    waiting = process("import sys; from minivit.files import locked\nwith locked(sys.argv[1]): print('mine')",
                      tmp_path / "data")
    assert waiting.stderr.readline() == f"waiting for another process that is at work on {tmp_path / 'data'}\n"
    os.kill(holder.pid, signal.SIGKILL)
    assert waiting.communicate(timeout=20)[0] == "mine\n"


def test_the_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "new" / "data"):
        raise KeyError
    with locked(tmp_path / "new" / "data", wait=False):
        pass
