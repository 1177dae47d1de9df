"""Whose hand-in is it: the names in files, and the class list, however it was written."""

import pytest

from minivit.grading.students import find, plain, read_roster, spellings, strangers, who


@pytest.mark.parametrize("name, expected", [
    ("Jane Doe_1234567_assignsubmission_file_/03_attention.ipynb", ("Jane Doe", "1234567", False)),
    ("Jane Doe_1234567_assignsubmission_file_03_attention.ipynb", ("Jane Doe", "1234567", False)),
    ("Jane Doe_1234567_assignsubmission_onlinetext_/onlinetext.html", ("Jane Doe", "1234567", False)),
    ("doejane_12345_678901_03_attention-1.ipynb", ("doejane", "12345", False)),
    ("doejane_LATE_12345_678901_03_attention.ipynb", ("doejane", "12345", False)),
    ("jane/03_attention.ipynb", ("jane", "", False)), ("jane.ipynb", ("jane", "", False)),
    ("jane (2).ipynb", ("jane", "", False)), ("jane-Copy1.ipynb", ("jane", "", False)),
    ("(1).ipynb", ("(1).ipynb", "", False)), ("jane.ipynb.txt", ("jane", "", False)), ("jane/", ("jane", "", False)),
    (".ipynb", (".ipynb", "", False)),
    ("Jane Doe_1_assignsubmission_file_/Bob Roe_2_assignsubmission_file_x.ipynb", ("Jane Doe", "1", False)),
    ("carl/Jane Doe_1_assignsubmission_file_/x.ipynb", ("Jane Doe", "1", True)),
    ("doejane_1_22_roebob_2_assignsubmission_file_.ipynb", ("doejane", "1", False)),
    ("Jose\u0301/x.ipynb", ("José", "", False)),
    ("a_" + "9" * 5000 + "_assignsubmission_file_.ipynb", ("a_" + "9" * 118 + "...", "", False))])
def test_students_are_known_by_the_names_that_moodle_and_canvas_give(name, expected):
    assert who(name) == expected


ROSTER = [{"Identifier": "Participant 5", "Full name": "Jane Doe", "Email": "e1", "Grade": "85", "ID number": "7"},
          {"Identifier": "Participant 7", "Full name": "Bob Roe", "Email": "e2", "Grade": " ", "ID number": "85"},
          {"Identifier": "Participant 8", "Full name": "Sam Same", "Email": "e3", "Grade": None, "ID number": ""},
          {"Identifier": "Participant 9", "Full name": "Sam Same", "Email": "e4"}]


@pytest.mark.parametrize("student, identifier, found", [
    ("Jane Doe", "", "e1"), ("doejane", "", "e1"), ("Doe, Jane", "", "e1"), ("Jena Deo", "", None),
    ("anybody", "7", "e2"), ("Sam Same", "", None), ("Sam Same", "9", "e4"), ("anybody", "85", None)])
def test_a_student_is_found_on_the_roster_by_number_or_by_an_unmistakable_name(student, identifier, found):
    record = {"student": student, "identifier": identifier}
    assert find(record, ROSTER).get("Email") == found
    lines = strangers([record], ROSTER)
    assert len(lines) == (3 if found else 5)
    assert ("nothing came from Jane Doe" in lines) == (found != "e1")


@pytest.mark.parametrize("one, other", [
    ("José Núñez", "Jose\u0301 Nu\u0301n\u0303ez"), ("می\u200cخواهم", "میخواهم"), ("STRASSE Ann", "Straße Ann"),
    ("Ann-Marie O'Neil", "O'Neil, Ann Marie"), ("ﬁona", "fiona"), ("\u202eJane Doe", "Jane Doe"), ("Ａnn", "Ann")])
def test_one_name_in_two_spellings(one, other):
    assert spellings(one) & spellings(other)


def test_names_on_a_screen_keep_their_letters_and_lose_what_rewrites_it():
    assert plain("می\u200cخواهم é") == "می\u200cخواهم é"
    assert plain("\x1b[2Ja\u202eb\n") == "?[2Ja?b?"


TEXT = "Identifier;Full name;Email address\nParticipant 5;José Núñez;j@x.org\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_class_list_is_read_however_it_was_saved(tmp_path, encoding, separator):
    (tmp_path / "list.csv").write_bytes(TEXT.replace(";", separator).encode(encoding))
    rows = read_roster(tmp_path / "list.csv")
    assert rows == [{"Identifier": "Participant 5", "Full name": "José Núñez", "Email address": "j@x.org"}]
    assert find({"student": "Nu\u0301n\u0303ez, Jose\u0301", "identifier": ""}, rows) is rows[0]


def test_first_name_and_surname_may_stand_apart(tmp_path):
    (tmp_path / "list.csv").write_text("First name,Surname,Email address\nJane,Doe,j@x.org\n")
    rows = read_roster(tmp_path / "list.csv")
    assert find({"student": "Jane Doe", "identifier": ""}, rows) is rows[0]


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"%PDF-1.4 x", b"a,b\n1,2\n", b"PK\x03\x04\xff\xfe",
                                     b"\xff\xfe\xff"])
def test_what_is_no_class_list_is_named(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"list\.csv: not a class list"):
        read_roster(tmp_path / "list.csv")
    with pytest.raises(ValueError, match=r"gone\.csv: not a class list"):
        read_roster(tmp_path / "gone.csv")
