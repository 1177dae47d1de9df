"""What the sandbox is told to hide, and whether it does."""

import sys
from pathlib import Path

import pytest

from minivit.grading import sandbox
from minivit.grading.attempt import Attempt, StandIns, make
from minivit.grading.exercise import FOLDER
from minivit.grading.marking import walls_hold
from minivit.grading.sandbox import Limits, Sandbox, bubblewrap, find_sandbox, islands, python_paths, visible_paths

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.mark.parametrize("as_root", [True, False])
def test_bubblewrap_is_told_to_unshare_everything_and_to_bind_read_only(as_root):
    words = bubblewrap(["python"], as_root, 5)
    told = {"--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--clearenv", "--seccomp"}
    assert told <= set(words)
    assert not {"--bind", "--dev-bind"} & set(words)
    assert ("--unshare-user" in words) != as_root
    bound = {words[i + 1] for i, word in enumerate(words) if word == "--ro-bind"}
    package = Path(sandbox.__file__).parent
    assert not bound & {"/", "/home", "/etc", "/root", "/var", str(package), str(package.parents[1])}
    assert {path for path in bound if path.startswith(str(package))} == {f"{package}/inside.py", f"{package}/show.py"}
    sizes = [int(words[i + 1]) for i, word in enumerate(words) if word == "--size"]
    assert len(sizes) == words.count("--tmpfs")
    assert max(sizes) <= 64 * 1024 ** 2


def test_an_installation_below_tmp_is_seen_and_read_only(monkeypatch):
    monkeypatch.setattr(sandbox, "visible_paths", lambda: [Path("/tmp/venv/lib/numpy")])
    words = bubblewrap(["python"], False, 5)
    order = [words.index(word) for word in ("/tmp", "/tmp/venv", "/tmp/venv/lib/numpy")]
    assert order == sorted(order)
    assert ("--remount-ro", "/tmp/venv") in zip(words, words[1:], strict=False)


def test_the_first_sandbox_that_works_is_taken(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda program: program)
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    assert find_sandbox(lambda box: not box.as_root) == Sandbox("bubblewrap", False)
    assert find_sandbox(lambda box: True) == Sandbox("bubblewrap", True)
    assert find_sandbox(lambda box: False) is None
    monkeypatch.setattr(sandbox.shutil, "which", lambda program: None)
    assert find_sandbox(lambda box: True) is None


def test_threads_are_limited_where_the_limit_counts_the_answer_s_alone(monkeypatch):
    assert "NPROC" not in Limits().resources(None)
    assert Limits().resources(64)["NPROC"] == (64, 64)
    monkeypatch.setattr(sandbox.os, "uname", lambda: type("Uname", (), {"release": "4.18.0-el8"}))
    assert [Sandbox("bubblewrap", True)._counts_threads(), Sandbox("bubblewrap")._counts_threads()] == [True, False]
    monkeypatch.setattr(sandbox.os, "uname", lambda: type("Uname", (), {"release": "5.14-x"}))
    assert [Sandbox("bubblewrap")._counts_threads(), Sandbox("none")._counts_threads()] == [True, False]


@pytest.mark.parametrize("as_root", [True, False])
def test_each_kind_hides_the_host(as_root):
    box = Sandbox("bubblewrap", as_root)
    try:
        wrong = walls_hold(box, Limits())
    except OSError as error:
        wrong = str(error)
    if wrong:
        pytest.skip(f"this kind does not work here: {wrong}")
    python_in_tmp = {path.name for path in islands([*python_paths()[0], *visible_paths()])}
    source = f"""
def look():
    import os
    seen = [p for p in ({str(FOLDER.parent / "README.md")!r}, '/etc/passwd', '/sys', {__file__!r}) if os.path.exists(p)]
    assert not seen, seen
    assert sum(name.isdigit() for name in os.listdir('/proc')) < 5
    assert sorted(os.listdir('/exercise')) == ['inside.py', 'show.py']
    assert os.geteuid() != 0 and os.getcwd() == '/tmp'
    assert set(os.listdir('/tmp')) == {{'.ipython'}} | {python_in_tmp!r}
    assert not [key for key in os.environ if 'TOKEN' in key or key == 'USER']
    return np.arange(2)"""
    given = "import numpy as np\nfrom minivit.grading.show import show"
    attempt = Attempt("look", [("given", given), ("answer", source), ("check", "show(y=look())")], [])
    outcome = make(attempt, box, Limits(), StandIns(box, Limits(), []))
    assert (outcome.error, outcome.ended) == ("", "")
    assert "y" in outcome.values


def test_a_sandbox_that_hides_nothing_is_not_taken():
    assert "it shows" in walls_hold(Sandbox("none"), Limits())
