import io
import sys
import tarfile
from pathlib import Path

import pytest

from minivit.data.archive import cache_folder, unpack

NAMES = ("a.bin", "b.bin")


@pytest.fixture
def archive(tmp_path):
    """Writes a tar.gz file of members given as (name, content) or (name, type, target of the link)."""
    def write(*members):
        path = tmp_path / "inside" / "set.tar.gz"
        path.parent.mkdir()
        with tarfile.open(path, "w:gz") as tar:
            for name, *rest in members:
                member = tarfile.TarInfo(name)
                if len(rest) == 1:
                    member.size = len(rest[0])
                    tar.addfile(member, io.BytesIO(rest[0]))
                else:
                    member.type, member.linkname = rest
                    tar.addfile(member)
        return path
    return write


def test_named_files_are_unpacked_and_nothing_else(archive):
    path = archive(("set/readme.html", b"no"), ("./set/a.bin", b"1"), ("set/b.bin", b"22"), ("other/a.bin", b"no"))
    folder = path.parent / "set"
    unpack(path, folder, NAMES)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a.bin": b"1", "b.bin": b"22"}
    assert sorted(path.parent.iterdir()) == [folder, path]


@pytest.mark.parametrize("evil", [
    ("../evil", b"no"), ("set/../../evil", b"no"), ("/tmp/evil", b"no"), ("set/../set/a.bin", b"no"),
    ("set/a.bin", tarfile.SYMTYPE, "/etc/passwd"), ("set/a.bin", tarfile.LNKTYPE, "set/b.bin"),
    ("set/a.bin", tarfile.FIFOTYPE, ""), ("set", tarfile.SYMTYPE, "/tmp")], ids=str)
def test_paths_and_links_in_the_archive_lead_nowhere(archive, tmp_path, evil):
    path = archive(("set/b.bin", b"22"), evil)
    with pytest.raises(ValueError, match=r"set.tar.gz: no regular file a.bin in a folder set"):
        unpack(path, path.parent / "set", NAMES)
    assert list(tmp_path.rglob("*")) == [path.parent, path]


def test_a_link_beside_the_files_is_left_out(archive):
    path = archive(("set/link", tarfile.SYMTYPE, "/etc"), ("set/a.bin", b"1"), ("set/b.bin", b"22"))
    unpack(path, path.parent / "set", NAMES)
    assert sorted(file.name for file in (path.parent / "set").iterdir()) == ["a.bin", "b.bin"]


def test_cache_folder_can_be_chosen(monkeypatch):
    monkeypatch.setenv("MINIVIT_DATA", "~/my data")
    assert cache_folder() == Path.home() / "my data"


@pytest.mark.parametrize(("platform", "variable", "default"), [
    ("linux", "XDG_CACHE_HOME", ".cache"), ("win32", "LOCALAPPDATA", "AppData/Local"),
    ("darwin", None, "Library/Caches")])
def test_cache_folder_is_the_users(monkeypatch, tmp_path, platform, variable, default):
    monkeypatch.delenv("MINIVIT_DATA", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
        assert cache_folder() == tmp_path / "minivit"
        monkeypatch.delenv(variable)
    assert cache_folder() == Path.home() / default / "minivit"
