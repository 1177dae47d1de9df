"""The map of the course, lessons/course.toml, and where its notebooks are."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "lessons"


@dataclass(frozen=True)
class Lesson:
    """One line of the map.

    Parameters
    ----------
    number, name : str
        "05" and "vit".
    line : str
        What the lesson is about.
    part : str
        The heading under which it stands.
    """

    number: str
    name: str
    line: str
    part: str

    @property
    def file(self):
        """The name of its notebook."""
        return f"{self.number}_{self.name}.ipynb"


def read_course(folder=None):
    """(lessons in their order, "OWNER/NAME" of the published repository or "")."""
    path = Path(folder or FOLDER) / "course.toml"
    if not path.exists():
        raise ValueError(f"{path} is missing: the lessons are in the repository, not in an installed package")
    course = tomllib.loads(path.read_text(encoding="utf-8"))
    lessons = [Lesson(*lesson, part=part["title"]) for part in course["part"] for lesson in part["lessons"]]
    return lessons, course["repository"]


def locate(name, folder=None):
    """The notebook that "5", "05", "05_vit", "vit" or the path of a notebook means.

    Raises
    ------
    ValueError
        If there is none, with what there is: the written lessons, or that this one is planned.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.exists():
        return path
    folder = Path(folder or FOLDER)
    lessons, _ = read_course(folder)
    written = [lesson for lesson in lessons if (folder / lesson.file).exists()]
    there = ", ".join(f"{lesson.number} {lesson.name}" for lesson in written)
    for lesson in lessons:
        if path.stem in (lesson.number, lesson.number.lstrip("0") or "0", lesson.name, Path(lesson.file).stem):
            if lesson in written:
                return folder / lesson.file
            raise ValueError(f"lesson {lesson.number} ({lesson.name}) is planned, not written yet; there are {there}")
    raise ValueError(f"lesson: {name!r} does not exist; there are {there}")
