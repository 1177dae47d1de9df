"""Whose hand-in is it: names in the file names of Moodle and Canvas, and on a class list."""

import csv
import io
import re
import unicodedata

MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d{1,20})_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?:LATE_)?(?P<id>\d{1,20})_(?P<upload>\d{1,20})_(?P<file>.+)", re.DOTALL)
COPY = re.compile(r"(?: ?\(\d+\)|-Copy\d*)+$")  # what browsers and Jupyter put behind the name of a second file
NUMBERS = ("identifier", "id")  # columns with the number in the file names; "ID number" is the institution's, not this
NAMES = ("Full name", "Student", "Name", "name", "Student name")  # columns that hold a student's name
LONGEST = 120  # characters of a name that are kept
JOINERS = "\u200c\u200d"  # within words of Persian and Indian scripts: shown, but not compared


def who(name):
    """(student, number that the system gave, whether this stands inside of another's folder) from a file's name.

    Canvas' and Moodle's patterns, else the folder, else the file. The outermost part that fits counts: the inner ones
    are named by students.
    """
    parts = name.split("/")
    for depth, part in enumerate(parts):
        match = CANVAS.fullmatch(part) or MOODLE.fullmatch(part)
        if match:
            return tidy(match["name"]), match["id"], depth > 0
    return tidy(parts[0] if len(parts) > 1 else COPY.sub("", stem(parts[0])) or parts[0]), "", False


def stem(name):
    """A file's name without its ending, whatever was put behind .ipynb."""
    return re.sub(r"\.ipynb(\.\w+)*$|\.[A-Za-z]\w{0,5}$", "", name, flags=re.IGNORECASE) or name


def tidy(name):
    """A name as it is kept: one Unicode spelling, no space around it, not longer than a name can be."""
    name = unicodedata.normalize("NFC", name).strip()
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}..."


def plain(text):
    """Without characters that could rewrite a terminal or turn a line around."""
    return "".join(character if character.isprintable() or character in JOINERS else "?" for character in str(text))


def spellings(name):
    """The ways to write a name, to be compared: Canvas makes "doejane" of "Doe, Jane", and Moodle says "Jane Doe"."""
    if not isinstance(name, str):
        return set()
    text = unicodedata.normalize("NFKC", name).casefold()
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text))
    return {"".join(words[i:] + words[:i]) for i in range(min(len(words), 10))}


def read_roster(path):
    """The rows of a class list, as dicts; a ValueError that names the file if it is none.

    Separated by commas, semicolons or tabs; in UTF-8, UTF-16 or the Western encoding of Windows.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
        text = decode(content)
        head = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
        rows = [{(name or "").strip(): value for name, value in row.items() if isinstance(name, str)} for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: not a class list: {error}") from None
    known = {name.casefold() for row in rows[:1] for name in row}
    if not known & {*NUMBERS, *(name.casefold() for name in NAMES), "first name", "surname", "last name"}:
        raise ValueError(f"{path}: not a class list: a first line with one of the columns {', '.join(NAMES[:3])}, "
                         f"Identifier or ID is expected, and there are {', '.join(sorted(known)) or 'none'}")
    return rows


def decode(content):
    """The text of a file that some spreadsheet wrote."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    if content[1:2] == b"\0" or content[:1] == b"\0":
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def find(record, roster):
    """The roster's row of a record's student: by the number that the system gave, else by a name that only one has."""
    if record["identifier"]:
        for column in NUMBERS:
            found = [row for row in roster for name, value in row.items()
                     if name.lower() == column and str(value or "").split()[-1:] == [record["identifier"]]]
            if len(found) == 1:
                return found[0]
    wanted = spellings(record["student"])
    found = [row for row in roster if wanted & names(row)]
    return found[0] if len(found) == 1 else {}


def names(row):
    """All spellings of a row's name, also where it has the parts of the name in two columns."""
    parts = {name.casefold(): value for name, value in row.items() if isinstance(value, str)}
    both = f"{parts.get('first name', '')} {parts.get('surname') or parts.get('last name') or ''}"
    return spellings(both).union(*(spellings(row.get(name)) for name in NAMES))


def strangers(records, roster):
    """Lines: who is on the roster and handed nothing in, and who handed something in and is not on it."""
    found = [find(record, roster) for record in records]
    absent = [next(filter(None, (row.get(name) for name in NAMES)), "").strip() for row in roster
              if not any(row is other for other in found)]
    return [f"nothing came from {plain(name)}" for name in absent if name not in ("", "Points Possible")] + \
           [f"not on the roster: {plain(record['student'])}" for record, row in zip(records, found, strict=True)
            if not row]
