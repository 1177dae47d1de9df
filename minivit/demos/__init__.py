"""Live demos for the lecture hall, one a file, found by looking into this folder.

Each becomes one HTML file, which needs no network and no Python.

A demo NAME is three files. NAME.py says what it is about and computes its numbers:

    TITLE         the heading, a whole sentence: what there is to see
    LOOK_FOR      one sentence: where to look, and for what
    QUESTION      what can be answered by playing
    data()        {name: array, number, text, list or dictionary of these}, by minivit, when the file is written

NAME.html is what stands between the heading and the knobs, NAME.js what moves it. `frame.html.j2` holds them together;
`shared.js` tells what a script finds: the arrays, the knobs, their keys and their state, heat maps and charts.

An element that must change when a knob is moved names the knob: `data-watch="temperature"`. The tests move every knob.
"""

import base64
import importlib
import json
from pathlib import Path

import numpy as np

from ..files import write_atomically
from ..names import expect
from ..viz.palette import colour_map, css

FOLDER = Path(__file__).parent
LIMIT = 2_000_000  # bytes of a file
DTYPES = ("uint8", "int16", "int32", "float16", "float32", "float64")  # what shared.js reads


def list_demos() -> list[str]:
    """The names of all demos: ["attention", "autograd" ...]."""
    return sorted(path.stem for path in FOLDER.glob("*.html"))


def find_demo(name: str):
    """The module of a demo.

    Raises
    ------
    ValueError
        For a name that does not exist; the message suggests the nearest one.
    """
    expect("demo", name, list_demos())
    return importlib.import_module(f"{__name__}.{name}")


def write(name: str, path: str | Path) -> Path:
    """Write a demo into one HTML file of at most 2 MB, and return its path.

    Raises
    ------
    ValueError
        If there is no demo of that name, or if its file would be larger.
    """
    text = page(name)
    if len(text.encode()) > LIMIT:
        raise ValueError(f"demo {name}: expected at most {LIMIT:,} bytes, got {len(text.encode()):,}; store fewer "
                         "arrays, or store them as float16 or uint8")
    write_atomically(path, text)
    return Path(path)


def page(name: str) -> str:
    """The HTML text of a demo."""
    from jinja2 import Environment

    demo = find_demo(name)
    maps = {map_name: colour_map(map_name) for map_name in ("viridis", "RdBu")}
    files = {"css": read("shared.css"), "shared": read("shared.js"), "body": read(f"{name}.html"),
             "script": read(f"{name}.js")}
    return Environment(keep_trailing_newline=True).from_string(read("frame.html.j2")).render(
        title=demo.TITLE, look_for=demo.LOOK_FOR, question=demo.QUESTION, palette=css(),
        data=as_json(demo.data() | {"maps": maps}), **files)


def read(file):
    """The text of a file of this folder."""
    return (FOLDER / file).read_text(encoding="utf-8")


def as_json(value):
    """JSON that may stand in a <script>; an array becomes its dtype, its shape and its bytes in base64."""
    return json.dumps(value, default=encoded, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def encoded(array):
    """An array as a dictionary, which shared.js decodes; NumPy's numbers as Python's."""
    if isinstance(array, np.generic):
        return array.item()
    if not isinstance(array, np.ndarray) or array.dtype.name not in DTYPES:
        kind = array.dtype.name if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"data: expected numbers, text, and NumPy arrays of {', '.join(DTYPES)}, got {kind}")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": base64.b64encode(little).decode()}
