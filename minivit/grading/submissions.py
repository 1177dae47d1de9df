"""What was handed in: notebooks, folders, and the archives that Moodle and Canvas give; nothing of it is believed."""

import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .exercise import ANSWER_ID

FILE_BYTES = 20 * 1024 ** 2
SOURCE_CHARACTERS = 50_000
MEMBERS = 20_000
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?:LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)")


@dataclass
class Submission:
    """One student's answers to one exercise: {answer's name: source}, and what was odd about the file."""

    student: str
    number: str
    sources: dict
    file: str = ""
    flags: list = field(default_factory=list)
    identifier: str = ""  # the number by which Moodle or Canvas know the student
    digest: str = ""  # of the file's content


def collect(path):
    """(Submissions, sorted; complaints) of a notebook, a folder or a zip archive."""
    found, complaints = {}, []
    for name, content in files(Path(path), complaints):
        student, identifier = who(name)
        try:
            number, sources, flags = read(content)
        except ValueError as error:
            complaints.append(f"{name}: {error}")
            number, sources, flags = "", {}, [str(error)]
        new = Submission(student, number, sources, name, flags, identifier, hashlib.sha256(content).hexdigest())
        earlier = found.get((student, identifier, number))
        if earlier is not None:
            new.flags.append(f"handed in more than once: {earlier.file} was not graded")
        if identifier and who(name.split("/")[0]) != (student, identifier):
            new.flags.append(f"the student's name and number stand inside of {name.split('/')[0]}")
        found[student, identifier, number] = new
    readable = {key[:2] for key in found if key[2]}
    return [found[key] for key in sorted(found) if key[2] or key[:2] not in readable], complaints


def files(path, complaints):
    """(name with forward slashes, bytes) of every notebook, in natural order; nothing is unpacked to disk."""
    if path.is_dir():
        paths = [Path(folder) / file for folder, _, names in os.walk(path) for file in names]
        for file in sorted(paths, key=lambda path: _natural(str(path))):
            if file.suffix == ".ipynb" and ".ipynb_checkpoints" not in file.parts and file.is_file():
                name = file.relative_to(path).as_posix()
                if file.is_symlink():
                    complaints.append(f"{name}: a link, not a file")
                    continue
                with open(file, "rb") as stream:
                    yield name, stream.read(FILE_BYTES + 1)
            elif file.suffix == ".zip" and not file.is_symlink():
                yield from members(file, complaints, f"{file.relative_to(path).with_suffix('').as_posix()}/")
    elif path.suffix == ".zip":
        yield from members(path, complaints)
    elif path.suffix == ".ipynb":
        with open(path, "rb") as stream:
            yield path.name, stream.read(FILE_BYTES + 1)
    else:
        raise ValueError(f"{path}: a folder, a notebook or a zip archive is expected")


def members(path, complaints, prefix=""):
    """The notebooks of an archive. A member that lies about its size or its place is left out."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist()[:MEMBERS], key=lambda entry: _natural(entry.filename))
            for entry in entries:
                name = entry.filename.replace("\\", "/")
                parts = PurePosixPath(name).parts
                if name.endswith(".zip"):
                    complaints.append(f"{name}: an archive in an archive")
                if not name.endswith(".ipynb") or "__MACOSX" in parts or ".ipynb_checkpoints" in parts:
                    continue
                if name.startswith("/") or ".." in parts or ":" in name:
                    complaints.append(f"{name}: leads out of the archive")
                    continue
                try:
                    with archive.open(entry) as stream:
                        yield prefix + name, stream.read(FILE_BYTES + 1)
                except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
                    complaints.append(f"{name}: {error}")
    except (zipfile.BadZipFile, OSError) as error:
        complaints.append(f"{path.name}: {error}")


def who(name):
    """(student, identifier) from a file's name: Canvas' and Moodle's patterns, else the folder, else the file.

    The outermost part that fits counts: the inner ones are named by students.
    """
    parts = name.split("/")
    for part in parts:
        match = CANVAS.fullmatch(part) or MOODLE.match(part)
        if match:
            return match["name"].strip(), match["id"]
    return (parts[0] if len(parts) > 1 else PurePosixPath(parts[0]).stem), ""


def read(content):
    """(exercise's number, {answer: source}, flags) of a notebook's bytes; ValueError if it is none."""
    if len(content) > FILE_BYTES:
        raise ValueError(f"larger than {FILE_BYTES // 1024 ** 2} MB")
    try:
        notebook = json.loads(content)
        cells = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ValueError(f"not a notebook: {str(error)[:200]}") from None
    found, flags = {}, []
    for cell in cells:
        match = ANSWER_ID.fullmatch(cell["id"]) if isinstance(cell.get("id"), str) else None
        if match and cell.get("cell_type") == "code":
            found.setdefault(match[1], {}).setdefault(match[2], []).append(_source(cell.get("source")))
    if not found:
        raise ValueError("no answer cell: the cells' ids are missing; is it an exercise's notebook, saved by Jupyter?")
    number = max(sorted(found), key=lambda number: len(found[number]))
    sources = {}
    for name, copies in found[number].items():
        if len(copies) > 1:
            flags.append(f"{name}: {len(copies)} cells have this answer's id; none is counted")
        elif copies[0] is None or len(copies[0]) > SOURCE_CHARACTERS:
            flags.append(f"{name}: not a text of at most {SOURCE_CHARACTERS} characters")
        else:
            sources[name] = copies[0]
    return number, sources, flags


def _source(source):
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file


def _natural(text):
    """A sort key: attention-2 before attention-10."""
    return [(int(part), "") if part.isdigit() and part.isascii() else (0, part) for part in re.split(r"(\d+)", text)]
