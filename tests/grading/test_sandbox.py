"""What the sandbox is told to hide, without starting one; and the fork server's parts, without a fork."""

import contextlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import psutil
import pytest

from minivit.grading import forkserver, sandbox, server, walls
from minivit.grading.sandbox import Limits, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes and the fork server need Linux")


@pytest.fixture
def shared(tmp_path):
    """A folder that a sandbox would share with the grader."""
    sandbox.prepare(tmp_path)
    return tmp_path


def test_nothing_of_minivit_but_show_is_copied(shared):
    files = {path.relative_to(shared).as_posix() for path in shared.rglob("*") if path.is_file()}
    assert files == {f"library/{name}" for name in (
        "forkserver.py", "minivit/__init__.py", "minivit/grading/__init__.py", "minivit/grading/show.py")}


@pytest.mark.parametrize("root", [True, False])
def test_bubblewrap_is_told_to_unshare_everything_and_to_bind_read_only(shared, root):
    words = Sandbox("bubblewrap", root).command(shared, 4242, Limits())
    assert {"--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--clearenv"} <= set(words)
    assert [words[i + 1] for i, word in enumerate(words) if word == "--bind"] == [str(shared / "sockets")]
    assert ("--unshare-user" in words) != root
    bound = {words[i + 1] for i, word in enumerate(words) if word == "--ro-bind"}
    assert not bound & {"/", "/home", "/etc", "/root", "/var", str(Path(sandbox.__file__).parents[2])}
    assert json.loads(words[-1])["uid"] == (4242 if root else None)


@pytest.mark.parametrize("root", [True, False])
def test_namespaces_are_told_the_same(shared, root):
    words = Sandbox("namespaces", root).command(shared, 4242, Limits())
    assert words[0] == "unshare"
    assert {"--mount", "--pid", "--net", "--ipc", "--kill-child"} <= set(words)
    assert ("--user" in words) != root
    assert "pivot_root" in words[-1]
    assert "--no-new-privs" in words[-1]
    assert f"mount --bind {shared}/sockets " in words[-1]
    assert f"mount --bind {shared} " not in words[-1]


def test_an_installation_below_tmp_is_seen_and_read_only(shared, monkeypatch):
    monkeypatch.setattr(walls, "visible_paths", lambda: [Path("/tmp/venv/lib/numpy")])
    words = Sandbox("bubblewrap").command(shared, 4242, Limits())
    order = [words.index(word) for word in ("/tmp", "/tmp/venv", "/tmp/venv/lib/numpy")]
    assert order == sorted(order)
    assert ("--remount-ro", "/tmp/venv") in zip(words, words[1:], strict=False)
    script = Sandbox("namespaces").command(shared, 4242, Limits())[-1]
    assert script.index("/root/tmp\n") < script.index("/root/tmp/venv\n") < script.index("/tmp/venv/lib/numpy")
    assert "mount -o remount,bind,ro /tmp/venv\n" in script


def test_limits_on_processes_count_only_where_the_account_is_its_own():
    assert Limits().inside(True)["processes"] == 64
    assert Limits().inside(False)["processes"] is None


def test_the_first_sandbox_that_works_is_taken(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda program: program)
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "works", lambda box: box == Sandbox("namespaces", False))
    assert sandbox.available() == Sandbox("namespaces", False)
    monkeypatch.setattr(sandbox, "works", lambda box: False)
    assert sandbox.available() is None


@pytest.mark.parametrize("said, works", [(b"ready\n", True), (b"", False)])
def test_a_sandbox_is_tried_not_believed(monkeypatch, said, works):
    monkeypatch.setattr(sandbox.subprocess, "run", lambda *_, **__: types.SimpleNamespace(stdout=said))
    assert sandbox.works(Sandbox("bubblewrap")) == works


class Below:
    """A stand-in for psutil that sees only the processes given."""

    Error = psutil.Error

    def __init__(self, *processes):
        self.below = [psutil.Process(process.pid) for process in processes]

    def Process(self):  # noqa: N802
        """This process, as far as it matters."""
        return self

    def children(self, recursive):
        """Those that still live."""
        return [process for process in self.below if process.is_running() and process.status() != "zombie"]


def test_the_sweep_kills_what_an_answer_started_even_if_it_ignores_signals():
    source = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", source])
    forkserver.sweep(Below(process))
    assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == "zombie"
    with contextlib.suppress(ChildProcessError):
        process.wait()


def test_what_an_answer_wrote_is_removed_or_the_sandbox_ends(tmp_path, monkeypatch):
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    forkserver.empty([tmp_path])
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder").mkdir()
    ended = []
    monkeypatch.setattr(forkserver.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(forkserver.os, "_exit", ended.append)
    forkserver.empty([tmp_path])
    assert ended == [1]
    monkeypatch.setattr(forkserver.os.path, "ismount", lambda path: path == str(tmp_path / "folder"))
    forkserver.empty([tmp_path])
    assert ended == [1]


def test_limits_are_set_where_the_system_has_them(monkeypatch):
    import resource
    found = {}
    monkeypatch.setattr(resource, "setrlimit", lambda which, amounts: found.update({which: amounts}))
    forkserver.limit({"memory": 10, "file_bytes": 20, "processes": None})
    assert found[resource.RLIMIT_AS] == (10, 10)
    assert found[resource.RLIMIT_FSIZE] == (20, 20)
    assert resource.RLIMIT_NPROC not in found


def test_a_child_becomes_a_kernel_and_never_returns(monkeypatch, tmp_path):
    from ipykernel.kernelapp import IPKernelApp
    calls, here = [], os.getcwd()
    for name in ("setsid", "dup2", "open", "chdir"):
        monkeypatch.setattr(forkserver.os, name, lambda *args, name=name: calls.append((name, *args)))
    monkeypatch.setattr(forkserver.os, "fork", lambda: 0)
    monkeypatch.setattr(forkserver.os, "_exit", lambda code: calls.append(("exit", code)))
    monkeypatch.setattr(forkserver.tempfile, "mkdtemp", lambda: str(tmp_path))
    monkeypatch.setattr(forkserver, "limit", lambda limits: calls.append(("limit", limits)))
    monkeypatch.setattr(IPKernelApp, "launch_instance", lambda options: calls.append(("kernel", *options[:2])))
    forkserver.start("connection.json", {"memory": 1})
    assert ("kernel", "-f", "connection.json") in calls
    assert calls.index(("limit", {"memory": 1})) < calls.index(("kernel", "-f", "connection.json"))
    assert calls[-1] == ("exit", 1)
    assert os.getcwd() == here


def test_the_server_obeys_line_by_line_and_says_when_a_kernel_is_dead(monkeypatch):
    orders = [b'{"start": "a"}\n{"ki', b'll": true}\n', b""]
    said, swept, ended = [], [], [(7, 0), (0, 0)]
    monkeypatch.setattr(forkserver, "ctypes", types.SimpleNamespace(
        CDLL=lambda _: types.SimpleNamespace(prctl=lambda *_: 0)))
    monkeypatch.setattr(forkserver, "WARM", ["json", "no_such_module"])
    monkeypatch.setattr(forkserver.gc, "freeze", lambda: None)
    monkeypatch.setitem(sys.modules, "debugpy", sys.modules.get("debugpy"))
    waits = []
    monkeypatch.setattr(forkserver.select, "select", lambda *args: (waits.append(args[-1]), ([0], [], []))[1])
    monkeypatch.setattr(forkserver.os, "read", lambda *_: orders.pop(0))
    monkeypatch.setattr(forkserver.os, "waitpid", lambda *_: ended.pop(0) if ended else (0, 0))
    monkeypatch.setattr(forkserver, "say", said.append)
    monkeypatch.setattr(forkserver, "start", lambda file, limits: 7)
    monkeypatch.setattr(forkserver, "sweep", lambda _: swept.append(True))
    forkserver.main({"limits": {}, "scratch": []})
    assert said == ["ready", "started", "dead", "clean"]
    assert max(waits) <= 0.2  # so soon is a kernel's end noticed
    assert len(swept) == 2


@pytest.fixture
def watched(tmp_path):
    """A Server that never started anything."""
    made = server.Server.__new__(server.Server)
    made.limits, made.sockets, made.alive, made.words = Limits(), tmp_path, True, []
    made.looked, made.cell_start = 0.0, None
    made.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    made.listen = lambda timeout: True
    yield made
    made.process.kill()
    made.process.wait()


@pytest.mark.parametrize("usage, reason", [
    (dict(rss=0, cpu=0.0, count=1), None), (dict(rss=3 * 1024 ** 3, cpu=0.0, count=1), "memory"),
    (dict(rss=0, cpu=99.0, count=1), "timeout"), (dict(rss=0, cpu=0.0, count=65), "processes")])
def test_whoever_takes_too_much_is_ended(watched, monkeypatch, usage, reason):
    child = types.SimpleNamespace(memory_info=lambda: types.SimpleNamespace(rss=usage["rss"]),
                                  cpu_times=lambda: (usage["cpu"], 0.0))
    monkeypatch.setattr(server.psutil, "Process", lambda pid: types.SimpleNamespace(
        children=lambda recursive: [child] * usage["count"]))
    watched.cell_start = 0.0
    with pytest.raises(server.Ended, match=reason) if reason else contextlib.nullcontext():
        watched.watch()


def test_a_dead_kernel_and_a_full_folder_end_it_too(watched, tmp_path):
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    with open(inner / "large", "wb") as file:
        file.truncate(Limits().file_bytes + 1)
    with pytest.raises(server.Ended, match="files"):
        watched.watch()
    inner.chmod(0)
    server.remove(tmp_path / "a")
    assert not list(tmp_path.iterdir())
    assert server.too_much(tmp_path / "gone", 1)
    watched.words = [b"dead"]
    with pytest.raises(server.Ended, match="died"):
        watched.watch()
