"""A handed-in notebook: which cells are answers, and which helpers they use. Nothing of it is believed."""

import functools
import json
import re
import warnings
from dataclasses import dataclass, field

import nbformat

from .exercise import ANSWER_ID
from .rules import definitions, names_read, tree_of

FILE_BYTES = 20 * 1024 ** 2
SOURCE_CHARACTERS = 50_000
CELLS, NAMES, CODE_CHARACTERS = 2_000, 50, 1_000_000
HELPER = re.compile(r"\s*#+\s*helpers?\b", re.IGNORECASE)  # how a student marks a helper cell: its first line
OTHER_ID = re.compile(r"(?:check|given)-\d\d\b.*")
SAYS_THE_NUMBER = re.compile(r"minivit check (\d\d)\b|^# Exercise (\d\d)\b", re.MULTILINE)
SIGN_IN = (b"password", b"sign in", b"signin", b"log in", b"login", b"single sign")  # words of such a page
NO_ANSWERS = ("no answer cell: the cells' ids are missing, and no cell says which exercise it is; is it an exercise's "
              "notebook, saved by Jupyter?")


@dataclass
class Written:
    """What a student wrote for one answer: the cell, and the helper cells above it that it uses."""

    source: str
    helpers: list = field(default_factory=list)


@dataclass(eq=False)
class Cell:
    """A code cell: its source (None: not a text, or too long), and its id."""

    source: str | None
    id: str

    @property
    def is_own(self):
        """Whether the student made the cell: it is no answer cell, no check, and not given."""
        return not ANSWER_ID.fullmatch(self.id) and not OTHER_ID.fullmatch(self.id)

    @functools.cached_property
    def tree(self):
        """The syntax tree, None if there is none."""
        return tree_of(self.source or "")

    @functools.cached_property
    def defined(self):
        """The names that the cell defines at its top."""
        return definitions(self.tree)


def read_notebook(content):
    """(exercise's number, {answer: Written}, flags) of a notebook's bytes; ValueError if it is none."""
    cells, texts = code_cells(content)
    found = {}
    for cell in cells:
        match = ANSWER_ID.fullmatch(cell.id)
        if match:
            found.setdefault(match[1], {}).setdefault(match[2], []).append(cell)
    flags = []
    if found:
        number = max(sorted(found), key=lambda number: len(found[number]))
        chosen = found[number]
    else:
        said = [match[1] or match[2] for text in texts for match in SAYS_THE_NUMBER.finditer(text)]
        if not said:
            raise ValueError(NO_ANSWERS)
        number, chosen = said[-1], {}
        for cell in cells:
            if not HELPER.match(cell.source or "") and not re.search(r"^SEED = \d+", cell.source or "", re.MULTILINE):
                chosen.update({name: [] for name in cell.defined if name.isidentifier()})
        flags.append("the cells' ids are missing: answers were found by the names of their functions")
    answers = {}
    for name, marked in [*chosen.items()][:NAMES]:
        source, remarks = choose(number, name, marked, cells)
        flags += [f"{name}: {remark}" for remark in remarks]
        if source is not None:
            answers[name] = source
    return number, answers, flags


def code_cells(content):
    """([Cell, ...], all texts) of a notebook's bytes, of any version; ValueError if it is none."""
    if len(content) > FILE_BYTES:
        raise ValueError(f"larger than {FILE_BYTES // 1024 ** 2} MB")
    try:
        notebook = json.loads(content)
        if isinstance(notebook, dict) and "worksheets" in notebook:
            notebook = newer(content)
        cells = [cell for cell in notebook["cells"][:CELLS] if isinstance(cell, dict)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(what_it_is(content) or f"not a notebook: {str(error)[:200]}") from None
    texts = [text for cell in cells if (text := _text(cell.get("source"))) is not None]
    found = []
    for cell in cells:
        if cell.get("cell_type") == "code":
            about = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
            name = cell.get("id") or about.get("id")  # Colab keeps ids there
            text = _text(cell.get("source"))
            found.append(Cell(text if text is None or len(text) <= SOURCE_CHARACTERS else None,
                              name if isinstance(name, str) else ""))
    if sum(len(cell.source or "") for cell in found) > CODE_CHARACTERS:
        raise ValueError(f"more than {CODE_CHARACTERS} characters of code")
    return found, texts


def newer(content):
    """A notebook of format 3 as one of format 4."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nbformat.reads(content.decode(), as_version=4)
    except Exception as error:  # nbformat raises what it likes
        raise ValueError(f"of format 3, which could not be converted: {error}") from None


def what_it_is(content):
    """A word about a file that is no notebook: what students hand in by mistake."""
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not content.strip():
        return "not a notebook: the file is empty"
    if head[:4] == b"%PDF":
        return "not a notebook: a PDF; the .ipynb file itself is wanted"
    if head[:2] == b"PK":
        return "not a notebook: an archive or an office document; the .ipynb file itself is wanted"
    if head[:1] == b"<":
        page = content[:65536].lower()
        kind = "sign-in" if any(word in page for word in SIGN_IN) else "web"
        return f"not a notebook: a {kind} page, saved in its place"
    return ""


def choose(number, name, marked, cells):
    """(Written or None, remarks) of an answer: the first cell that is whole, looked for where it belongs first."""
    readable = [cell for cell in marked if cell.source is not None]
    remarks = [] if len(readable) == len(marked) else [f"not a text of at most {SOURCE_CHARACTERS} characters"]
    stub = re.compile(rf"NotImplementedError\(\s*[\"']{number}\.{re.escape(name)}: ")
    others = [cell for cell in cells if cell.source and cell.is_own and not HELPER.match(cell.source)]
    begun = [cell for cell in readable if cell.source.strip() and not stub.search(cell.source)]
    whole = [cell for cell in begun if name in cell.defined]
    elsewhere = [cell for cell in others if name in cell.defined and not stub.search(cell.source)]
    if len(marked) > 1:
        remarks.append(f"{len(marked)} cells have this answer's id; the first whole one is graded")
    joined = next((text for cell in begun if (text := split_in_two(cell, cells, name))), None)
    if joined:
        remarks.append("it is split over two cells: both were put together; join them (Edit, Merge Cells)")
        return Written(joined, helpers_of(cells, begun[0], joined)), remarks
    if whole:
        cell = whole[0]
    elif elsewhere:
        cell = elsewhere[0]
        if marked:
            remarks.append("its own cell does not define it; another cell does, and was graded")
    else:
        cell = next(iter(begun or readable), None)
    if cell is None:
        return None, remarks
    return Written(cell.source, helpers_of(cells, cell, cell.source)), remarks


def split_in_two(cell, cells, name):
    """The source of a cell with the next one's, where a split made two of one: the next begins inside of a function."""
    place = next(i for i, other in enumerate(cells) if other is cell)
    below = cells[place + 1] if place + 1 < len(cells) else None
    if below is None or not below.source or not below.is_own:
        return None
    first = next((line for line in below.source.splitlines() if line.strip()), "")
    if not first[:1].isspace():
        return None
    text = f"{cell.source}\n{below.source}"
    return text if name in definitions(tree_of(text)) else None


def helpers_of(cells, answer, source):
    """The sources of the helper cells above an answer that it uses, itself or by another helper, in their order."""
    place = next(i for i, cell in enumerate(cells) if cell is answer)
    above = [cell for cell in cells[:place] if cell.source and HELPER.match(cell.source)]
    needed, used = names_read(tree_of(source)), []
    while new := [cell for cell in above if cell not in used and cell.defined & needed]:
        used += new
        needed = needed.union(*(names_read(cell.tree) for cell in new))
    return [cell.source for cell in above if cell in used]


def _text(source):
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file
