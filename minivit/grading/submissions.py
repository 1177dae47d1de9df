"""What was handed in: notebooks, folders, and the archives that Moodle and Canvas give; nothing of it is believed.

Whatever the file system or an archive holds, nothing stops the class: who handed in something that is no notebook gets
a row that says why.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from natsort import natsort_keygen, ns

from .notebook import FILE_BYTES, read_notebook
from .students import CANVAS, MOODLE, stem, tidy, who

MEMBERS, ARCHIVE_BYTES = 20_000, 2 * 1024 ** 3
NOISE = {"__MACOSX", ".ipynb_checkpoints", ".git", "__pycache__", ".DS_Store", "Thumbs.db", "desktop.ini",
         ".hints.json"}
UTF8_NAME = 0x800  # a zip member's flag
IMITATION = ": who handed this in?"  # so ends what is said of a file that bears another student's name
VERSION = re.compile(r"(?: ?\(\d+\)|-\d+|-Copy\d*)+$")  # what browsers, Canvas and Jupyter put behind a name
LONGEST_FILE = 300  # characters of a file's name that are kept
BAD_ARCHIVE = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, struct.error)
natural = natsort_keygen(alg=ns.INT | ns.IGNORECASE)


@dataclass
class Submission:
    """One student's answers to one exercise: {answer's name: Written}, and what was odd about the file."""

    student: str
    number: str
    answers: dict
    file: str = ""
    flags: list = field(default_factory=list)
    identifier: str = ""  # the number by which Moodle or Canvas know the student
    digest: str = ""  # of the file's content
    imitated: bool = False  # the name stands inside of another student's folder


@dataclass
class Entry:
    """Something that was found: its name with forward slashes, its content, or why there is none."""

    name: str
    content: bytes | None = None
    reason: str = ""

    @property
    def is_notebook(self):
        """Whether it is meant to be one: by its name, whatever was put behind it."""
        return self.name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json", ".json", ".ipynb.html"))


def collect(path, besides=None):
    """(Submissions, sorted; complaints) of a notebook, a folder or a zip archive; `besides`: a folder to leave out."""
    students = {}
    for entry in sorted(within_one_folder([*entries_of(Path(path), besides)]), key=in_order):
        students.setdefault(who(entry.name)[:2], []).append(entry)
    found, complaints = [], []
    for (student, identifier), entries in sorted(students.items()):
        read = [submission(entry, student, identifier) for entry in entries if entry.is_notebook]
        graded = {number: latest([one for one in read if one.number == number]) for number in
                  sorted({one.number for one in read if one.number})}
        unreadable = [one for one in read if not one.number]
        if not graded:
            graded[""] = unreadable[-1] if unreadable else Submission(
                student, "", {}, entries[-1].name[:LONGEST_FILE], [no_notebook(entries)], identifier)
            complaints += [f"{one.file}: {one.flags[0]}" for one in unreadable or graded.values()]
        for one in graded.values():
            if one.number:
                one.flags += [f"{other.file} was not graded: {other.flags[0]}" for other in unreadable]
                complaints += [f"{one.file}: {flag}" for flag in one.flags if flag.endswith(IMITATION)]
            found.append(one)
    return found, complaints


def submission(entry, student, identifier):
    """The Submission in an entry; without a number if it holds none, and its first flag says why."""
    new = Submission(student, "", {}, entry.name[:LONGEST_FILE], [], identifier)
    if entry.content is None:
        new.flags.append(entry.reason)
        return new
    new.digest = hashlib.sha256(entry.content).hexdigest()
    try:
        new.number, new.answers, new.flags = read_notebook(entry.content)
    except ValueError as error:
        new.flags.append(str(error))
        return new
    except Exception as error:  # a mistake of ours, which costs nobody else
        new.flags.append(f"the grader could not read it: {type(error).__name__}: {error}")
        return new
    if not entry.name.lower().endswith(".ipynb"):
        new.flags.append(f"a notebook under another name: {PurePosixPath(entry.name).name[:LONGEST_FILE]}")
    if who(entry.name)[2]:
        new.imitated = True
        new.flags.append(f"the student's name and number stand inside of {tidy(entry.name.split('/')[0])}{IMITATION}")
    return new


def latest(versions):
    """The version to be graded, the last of those in the student's own folder; all others are named."""
    own = [one for one in versions if not one.imitated]
    chosen = (own or versions)[-1]
    earlier = [one.file for one in (own or versions)[:-1]]
    if earlier:
        chosen.flags.append(f"handed in more than once: {', '.join(earlier)} not graded")
    if own:
        chosen.flags += [f"{one.file} bears this student's name and was not graded{IMITATION}" for one in versions
                         if one.imitated]
    return chosen


def no_notebook(entries):
    """What is said of a student who handed in no notebook."""
    reasons = [entry.reason for entry in entries if entry.reason]
    names = ", ".join(PurePosixPath(entry.name).name[:60] for entry in entries[:5] if not entry.name.endswith("/"))
    if reasons:
        return f"{reasons[0]}{f' ({names})' if names else ''}"
    return f"no notebook: {names}; the .ipynb file itself is wanted"


def in_order(entry):
    """A sort key: x before x (1), attention-2 before attention-10, whatever stands behind the name."""
    folder, _, file = entry.name.rpartition("/")
    return natural(folder[:LONGEST_FILE]), natural(stem(file)[:LONGEST_FILE])


def within_one_folder(entries):
    """The same entries without the one folder that all of them lie in, where that is the class's and no student's."""
    tops = {entry.name.partition("/")[0] for entry in entries}
    below = {entry.name.partition("/")[2] for entry in entries}
    if len(tops) != 1 or "" in below or any(pattern.fullmatch(*tops) for pattern in (CANVAS, MOODLE)):
        return entries
    folders = {name.partition("/")[0] for name in below if "/" in name}
    named = any(pattern.fullmatch(name.partition("/")[0]) for name in below for pattern in (CANVAS, MOODLE))
    files = {name for name in below if "/" not in name and name.lower().endswith(".ipynb")}
    several = {VERSION.sub("", stem(name)) for name in files}
    one_student = len(several) < 2 or any(re.match(r"\d\d_", name) for name in files)
    if not named and len(folders) < 2 and one_student:
        return entries
    return [Entry(entry.name.partition("/")[2], entry.content, entry.reason) for entry in entries]


def entries_of(path, besides=None):
    """Every Entry of a notebook, a folder or an archive; nothing is unpacked."""
    if path.is_dir():
        yield from in_folder(path, besides)
    elif path.suffix.lower() == ".zip" and path.is_file():
        try:
            yield from in_archive(path)
        except BAD_ARCHIVE as error:
            raise ValueError(f"{path}: not an archive that can be read: {error}") from None
    elif path.is_file() and Entry(path.name).is_notebook:
        yield from_disk(path, shown(path.name))
    else:
        raise ValueError(f"{path}: a folder, a notebook or a zip archive is expected")


def is_noise(name):
    """Whether a file or folder is one that no student means to hand in."""
    return name in NOISE or name.startswith("._")


def in_folder(path, besides=None):
    """Every Entry of a folder, at any depth."""
    failed, besides = [], os.path.realpath(besides) if besides else None
    for place, folders, files in os.walk(path, onerror=failed.append):
        folders[:] = sorted(folder for folder in folders if not is_noise(folder)
                            and os.path.realpath(os.path.join(place, folder)) != besides)
        files = [file for file in files if not is_noise(file)]
        here = Path(place).relative_to(path).as_posix()
        here = "" if here == "." else f"{shown(here)}/"
        if here and not folders and not files:
            yield Entry(here, reason="an empty folder")
        for folder in [*folders]:
            if os.path.islink(os.path.join(place, folder)):
                folders.remove(folder)
                yield Entry(f"{here}{shown(folder)}", reason="a link, not a folder")
        for file in files:
            name, at = f"{here}{shown(file)}", Path(place) / file
            if file.lower().endswith(".zip") and not at.is_symlink():
                try:
                    yield from in_archive(at, f"{name[:-4]}/")
                except BAD_ARCHIVE as error:
                    yield Entry(name, reason=f"an archive that cannot be read: {error}")
            else:
                yield from_disk(at, name)
    for error in failed:
        with contextlib.suppress(ValueError, TypeError):
            yield Entry(f"{shown(Path(error.filename).relative_to(path).as_posix())}/",
                        reason=f"cannot be read: {error.strerror}")


def from_disk(path, name):
    """The Entry of a file; only what may be a notebook is read."""
    entry = Entry(name)
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            entry.reason = "a link, not a file" if path.exists() else "a link that leads nowhere"
        elif not stat.S_ISREG(kind):
            entry.reason = "not a file"
        elif entry.is_notebook:
            with open(path, "rb") as file:
                entry.content = file.read(FILE_BYTES + 1)
    except OSError as error:
        entry.reason = f"cannot be read: {error.strerror}"
    return entry


def in_archive(path, prefix=""):
    """Every Entry of an archive. A member that lies about its size or its place is left out, and said to be there."""
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except UnicodeDecodeError:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(readable_names(path))))
        members, left = archive.infolist(), ARCHIVE_BYTES
        names = [member_name(member) for member in members]
        full = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents
                if not any(map(is_noise, PurePosixPath(name).parts))}
        for member, name in zip(members[:MEMBERS], names, strict=False):
            parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..", ".")]
            if not parts or any(map(is_noise, parts)):
                continue
            entry = Entry(prefix + "/".join(parts))
            if member.is_dir():
                if name.rstrip("/") not in full:
                    yield Entry(f"{entry.name}/", reason="an empty folder")
                continue
            if name.startswith("/") or ".." in PurePosixPath(name).parts or re.match(r"[A-Za-z]:", name):
                entry.reason = "leads out of the archive"
            elif name.lower().endswith(".zip"):
                entry.reason = "an archive in an archive"
            elif entry.is_notebook and left <= 0:
                entry.reason = f"the archive holds more than {ARCHIVE_BYTES // 1024 ** 3} GB"
            elif entry.is_notebook:
                try:
                    with archive.open(member) as file:
                        entry.content = file.read(FILE_BYTES + 1)
                    left -= len(entry.content)
                except Exception as error:  # zipfile, zlib, lzma and bz2 raise what they like
                    entry.reason = f"damaged in the archive: {error}"
            yield entry
        if prefix and not members:
            yield Entry(prefix, reason="an empty archive")
        for name in names[MEMBERS:MEMBERS + 1]:
            yield Entry(prefix + name, reason=f"behind the first {MEMBERS} members of an archive")


def member_name(member):
    """A member's name with forward slashes; where the flag for UTF-8 was forgotten, read as UTF-8."""
    name = member.filename.replace("\\", "/")
    if not member.flag_bits & UTF8_NAME and not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name


@contextlib.contextmanager
def readable_names(path):
    """A copy of an archive in which no name claims to be UTF-8 and is not: such a name stops zipfile altogether."""
    with tempfile.TemporaryFile() as copy:
        with open(path, "rb") as original:
            shutil.copyfileobj(original, copy)
        size = copy.tell()
        copy.seek(max(0, size - 65_557))
        tail = copy.read()
        end = tail.rfind(b"PK\5\6")
        count, length, place = struct.unpack_from("<HII", tail, end + 10)
        copy.seek(place)
        directory = copy.read(length)
        at = 0
        for _ in range(count):
            flags, = struct.unpack_from("<H", directory, at + 8)
            lengths = struct.unpack_from("<HHH", directory, at + 28)
            header, = struct.unpack_from("<I", directory, at + 42)
            try:
                directory[at + 46:at + 46 + lengths[0]].decode("utf-8")
            except UnicodeDecodeError:
                for offset in (place + at + 8, header + 6):  # in the directory, and before the member itself
                    copy.seek(offset)
                    copy.write(struct.pack("<H", flags & ~UTF8_NAME))
            at += 46 + sum(lengths)
        copy.seek(0)
        yield copy


def shown(name):
    """A name of the file system as text: bytes that are no UTF-8 become \\xff and the like."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
