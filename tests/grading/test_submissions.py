"""What was handed in is read, whatever it is: archives of both systems, links, lies, damage and noise."""

import json
import os
import struct
import zipfile

import pytest

from minivit.grading import submissions
from minivit.grading.submissions import FILE_BYTES, collect


def notebook(**answers):
    cells = [{"cell_type": "code", "id": f"answer-90-{name}", "source": text} for name, text in answers.items()]
    return json.dumps({"cells": cells}).encode()


def double(text):
    """A notebook in which `double` is defined, in a way that can be told from others."""
    return notebook(double=f"def double(x):\n    return {text!r}")


def hand_in(folder, files):
    """Write {name: content}; a content of None makes an empty folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)


def pack(path, files):
    """The same as an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)


def graded(found):
    """{student: what tells the graded version}; None for a row without a notebook."""
    return {one.student: one.answers["double"].source.rpartition("'")[0].rpartition("'")[2] if one.answers else None
            for one in found}


def test_an_archive_is_read_without_unpacking_it(tmp_path):
    pack(tmp_path / "all.zip", {
        "Jane Doe_7_assignsubmission_file_/x.ipynb": double("a"), "../../outside.ipynb": double("b"),
        "/absolute.ipynb": double("c"), "C:\\windows.ipynb": double("d"), "__MACOSX/x.ipynb": b"",
        "huge/x.ipynb": b" " * (FILE_BYTES + 10), "broken/x.ipynb": b"{", "packed/x.zip": b"", "hollow/": b""})
    found, complaints = collect(tmp_path / "all.zip")
    assert graded(found) == {"Jane Doe": "a", "outside": None, "absolute": None, "C:": None, "huge": None,
                             "broken": None, "packed": None, "hollow": None}
    said = "\n".join(complaints)
    assert said.count("leads out of the archive") == 3
    assert "an archive in an archive" in said
    assert "an empty folder" in said
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]


HEADER = b"PK\1\2\x14\x03\x14\0"  # of a member, in the directory at the archive's end
DAMAGE = {
    "data": lambda raw, start, size: raw[:start + size // 2] + b"\xff" * 20 + raw[start + size // 2 + 20:],
    "checksum": lambda raw, start, size: raw.replace(struct.pack("<I", zipfile.crc32(double("bad" * 40))), b"\1\2\3\4"),
    "method": lambda raw, start, size: raw.replace(HEADER + b"\0\0\x08\0", HEADER + b"\0\0\x63\0", 1),
    "encrypted": lambda raw, start, size: raw.replace(HEADER + b"\0\0", HEADER + b"\1\0", 1),
    "size": lambda raw, start, size: raw[:raw.index(HEADER) + 24] + b"\xff\xff\xff\x0f" + raw[raw.index(HEADER) + 28:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_member_costs_nobody_else(tmp_path, damage):
    files = {"bad/x.ipynb": double("bad" * 40), "good/x.ipynb": double("good"), "zoe/x.ipynb": double("zoe")}
    pack(tmp_path / "all.zip", files)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        member = archive.getinfo("bad/x.ipynb")
    raw = (tmp_path / "all.zip").read_bytes()
    changed = DAMAGE[damage](raw, member.header_offset + 41, member.compress_size)
    assert changed != raw
    (tmp_path / "all.zip").write_bytes(changed)
    found, complaints = collect(tmp_path / "all.zip")
    rows = graded(found)
    assert (rows["good"], rows["zoe"]) == ("good", "zoe")
    if damage != "size":  # the size alone is not believed in the first place
        assert rows["bad"] is None
        assert any("bad/x.ipynb: damaged" in complaint for complaint in complaints)


def test_a_name_that_claims_to_be_utf8_and_is_not(tmp_path):
    pack(tmp_path / "all.zip", {"jos\u00e9/x.ipynb": double("a"), "good/x.ipynb": double("b")})
    raw = (tmp_path / "all.zip").read_bytes()
    (tmp_path / "all.zip").write_bytes(raw.replace("jos\u00e9".encode(), b"jos\xe9e"))
    found, _ = collect(tmp_path / "all.zip")
    assert sorted(filter(None, graded(found).values())) == ["a", "b"]


def test_a_name_in_utf8_that_does_not_claim_it(tmp_path):
    pack(tmp_path / "all.zip", {"jos\u00e9/x.ipynb": double("a"), "b/x.ipynb": double("b")})
    raw = (tmp_path / "all.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.infolist()[0].flag_bits & 0x800
    (tmp_path / "all.zip").write_bytes(raw.replace(b"\x14\0\0\x08\x08\0", b"\x14\0\0\0\x08\0"))
    assert graded(collect(tmp_path / "all.zip")[0]) == {"jos\u00e9": "a", "b": "b"}


@pytest.mark.parametrize("content", [b"not a zip", b"", b"PK\5\6" + bytes(18), b"PK\3\4" + bytes(100)])
def test_an_archive_that_is_none(tmp_path, content):
    hand_in(tmp_path, {"in/anna/x.zip": content, "in/bob/x.ipynb": double("b")})
    assert graded(collect(tmp_path / "in")[0]) == {"anna": None, "bob": "b"}
    (tmp_path / "all.zip").write_bytes(content)
    if content != b"PK\5\6" + bytes(18):  # that is an archive: an empty one
        with pytest.raises(ValueError, match=r"all\.zip: not an archive"):
            collect(tmp_path / "all.zip")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not have such names")
def test_whatever_a_file_system_holds_is_a_row_and_stops_nobody(tmp_path):
    raw = os.fsencode(tmp_path)
    for name in (b"\xff\xfeanna", b"\xff\xfdanna", "e\u0301va".encode(), b"new\nline", b"a" * 250, b"\xf0\x9f\x98\x80"):
        os.mkdir(raw + b"/" + name)
        with open(raw + b"/" + name + b"/x.ipynb", "wb") as file:
            file.write(double("x"))
    hand_in(tmp_path, {"folder/x.ipynb/inner.txt": b"", "hollow": None, "deep/" + "d/" * 30 + "x.ipynb": double("x")})
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "gone.ipynb").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "hollow")
    (tmp_path / "linked").symlink_to("/")
    found, complaints = collect(tmp_path)
    rows = graded(found)
    assert sum(text == "x" for text in rows.values()) == 7
    assert "a" * 120 + "..." in rows
    for student, why in (("hollow", "an empty folder"), ("pipe", "not a file"), ("gone", "leads nowhere"),
                         ("link", "a link"), ("linked", "a link, not a folder"), ("folder", "no notebook: inner.txt")):
        assert rows[student] is None
        assert why in next(one.flags[0] for one in found if one.student == student)
    json.dumps([one.file for one in found]).encode("utf-8")
    "\n".join(complaints).encode("utf-8")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_one_unreadable_file_or_folder_is_a_row(tmp_path):
    hand_in(tmp_path, {"anna/x.ipynb": double("a"), "bob/x.ipynb": double("b"), "carl/x.ipynb": double("c")})
    (tmp_path / "anna/x.ipynb").chmod(0)
    (tmp_path / "bob").chmod(0)
    found, _ = collect(tmp_path)
    (tmp_path / "bob").chmod(0o700)
    assert graded(found) == {"anna": None, "bob": None, "carl": "c"}


def test_a_file_that_cannot_be_read_is_a_row(tmp_path, monkeypatch):
    hand_in(tmp_path, {"anna/x.ipynb": double("a"), "bob/x.ipynb": double("b")})
    original = open

    def refuses(path, *rest, **named):
        if "anna" in str(path):
            raise PermissionError(13, "Permission denied")
        return original(path, *rest, **named)

    monkeypatch.setattr("builtins.open", refuses)
    found, complaints = collect(tmp_path)
    assert graded(found) == {"anna": None, "bob": "b"}
    assert "anna/x.ipynb: cannot be read: Permission denied" in complaints


@pytest.mark.parametrize("name, content, why", [
    ("x.IPYNB", double("x"), ""), ("x.ipynb.txt", double("x"), ""), ("x.json", double("x"), ""),
    ("x.ipynb.json", double("x"), ""), ("x.py", b"def double(x): pass", "no notebook: x.py"),
    ("x.pdf", b"%PDF-1.4", "no notebook: x.pdf"), ("x.ipynb", b"%PDF-1.4", "a PDF"),
    (".ipynb", b"", "the file is empty"),
    ("x.ipynb", b"", "the file is empty"), ("x.ipynb", b"PK\3\4...", "an archive or an office document"),
    ("x.ipynb", b"<!doctype html><title>Sign in</title><input type=password>", "a sign-in page"),
    ("x.ipynb", b"\n<html><body>My notebook</body></html>", "a web page"),
    ("x.ipynb", double("x").decode().encode("utf-16"), ""), ("x.docx", b"PK", "no notebook: x.docx"),
    ("x.html", b"<html>", "no notebook: x.html"), ("x.ipynb", b"\xff\xd8\xff", "not a notebook")])
def test_what_looks_like_a_hand_in_has_a_row_that_says_what_it_is(tmp_path, name, content, why):
    hand_in(tmp_path, {f"anna/{name}": content, "bob/x.ipynb": double("b")})
    pack(tmp_path / "all.zip", {f"anna/{name}": content, "bob/x.ipynb": double("b")})
    (tmp_path / "in").mkdir()
    for student in ("anna", "bob"):
        (tmp_path / student).rename(tmp_path / "in" / student)
    for place in ("in", "all.zip"):
        found, complaints = collect(tmp_path / place)
        assert graded(found) == {"anna": None if why else "x", "bob": "b"}
        assert bool(complaints) == bool(why)
        assert not why or why in found[0].flags[0]


@pytest.mark.parametrize("names, newest", [
    (["x.ipynb", "x (1).ipynb", "x (2).ipynb"], "x (2).ipynb"), (["x.ipynb", "x-1.ipynb"], "x-1.ipynb"),
    (["x-2.ipynb", "x-10.ipynb", "x-9.ipynb"], "x-10.ipynb"), (["x.ipynb", "x-Copy1.ipynb"], "x-Copy1.ipynb"),
    (["x (9).ipynb", "x (10).ipynb", "x.ipynb"], "x (10).ipynb")])
def test_the_last_of_several_versions_is_graded_and_all_others_are_named(tmp_path, names, newest):
    hand_in(tmp_path, {f"anna/{name}": double(name) for name in names} | {"bob/x.ipynb": double("b")})
    found, _ = collect(tmp_path)
    assert graded(found)["anna"] == newest
    assert all(f"anna/{name}" in found[0].flags[-1] for name in names if name != newest)


def test_files_of_one_student_side_by_side_are_versions(tmp_path):
    hand_in(tmp_path, {"anna.ipynb": double("old"), "anna (1).ipynb": double("new"), "bob.ipynb": double("b")})
    assert graded(collect(tmp_path)[0]) == {"anna": "new", "bob": "b"}


def test_a_damaged_newer_version_does_not_hide_the_older(tmp_path):
    hand_in(tmp_path, {"anna/x.ipynb": double("old"), "anna/x (1).ipynb": b"{"})
    found, _ = collect(tmp_path)
    assert graded(found) == {"anna": "old"}
    assert "anna/x (1).ipynb was not graded: not a notebook" in found[0].flags[-1]


def test_two_students_of_one_name_are_two(tmp_path):
    hand_in(tmp_path, {f"Jane Doe_{i}_assignsubmission_file_/x.ipynb": double("a") for i in (1, 2)})
    found, _ = collect(tmp_path)
    assert [(s.student, s.identifier, s.flags) for s in found] == [("Jane Doe", "1", []), ("Jane Doe", "2", [])]


def test_who_imitates_another_gains_nothing_and_is_reported(tmp_path):
    hand_in(tmp_path, {"Jane Doe_1_assignsubmission_file_/x.ipynb": double("own"),
                       "Carl Roe_2_assignsubmission_file_/Jane Doe_1_assignsubmission_file_/y.ipynb": double("carl"),
                       "dora/Jane Doe_1_assignsubmission_file_/z.ipynb": double("forged"),
                       "dora/Eve Poe_3_assignsubmission_file_/z.ipynb": double("forged")})
    found, complaints = collect(tmp_path)
    assert graded(found) == {"Jane Doe": "own", "Carl Roe": "carl", "Eve Poe": "forged"}
    assert [one.imitated for one in found] == [False, True, False]
    said = "\n".join(complaints)
    assert "dora/Jane Doe_1_assignsubmission_file_/z.ipynb bears this student's name" in said
    assert "stand inside of dora" in said


@pytest.mark.parametrize("files, students", [
    ({"class/anna/x.ipynb": "a", "class/bob/x.ipynb": "b"}, {"anna": "a", "bob": "b"}),
    ({"class/anna.ipynb": "a", "class/bob.ipynb": "b"}, {"anna": "a", "bob": "b"}),
    ({"class/Jane Doe_1_assignsubmission_file_/x.ipynb": "a"}, {"Jane Doe": "a"}),
    ({"class/doejane_1_2_x.ipynb": "a"}, {"doejane": "a"}),
    ({"anna/90_tiny.ipynb": "a", "anna/90_tiny (1).ipynb": "b"}, {"anna": "b"}),
    ({"anna/work/x.ipynb": "a"}, {"anna": "a"}), ({"anna/x.ipynb": "a"}, {"anna": "a"})])
def test_one_top_folder_is_looked_into_where_it_is_the_class_s(tmp_path, files, students):
    pack(tmp_path / "all.zip", {name: double(text) for name, text in files.items()})
    hand_in(tmp_path / "in", {name: double(text) for name, text in files.items()})
    for place in ("all.zip", "in"):
        found, complaints = collect(tmp_path / place)
        assert graded(found) == students
        assert not complaints


def test_results_in_the_class_s_own_folder_are_no_hand_in(tmp_path):
    hand_in(tmp_path, {"anna/x.ipynb": double("a"), "results/grading.json": b"{}"})
    assert graded(collect(tmp_path, besides=tmp_path / "results")[0]) == {"anna": "a"}
    with pytest.raises(ValueError, match="a folder, a notebook or a zip archive"):
        collect(tmp_path / "anna/nothing.txt")


def test_a_mistake_of_the_grader_costs_one_submission(tmp_path, monkeypatch):
    hand_in(tmp_path, {"anna/x.ipynb": double("a"), "bob/x.ipynb": double("b")})
    read = submissions.read_notebook
    monkeypatch.setattr(submissions, "read_notebook", lambda content: read(content) if b"'b'" in content else 1 / 0)
    found, complaints = collect(tmp_path)
    assert graded(found) == {"anna": None, "bob": "b"}
    assert "the grader could not read it: ZeroDivisionError" in complaints[0]
