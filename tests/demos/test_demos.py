"""Every demo in a browser: each knob moves what it says, the link restores the state, all fits on one screen."""

import numpy as np
import pytest

from minivit import demos

pytest.importorskip("jinja2")
pytestmark = pytest.mark.browser
NAMES = demos.list_demos()
CONTROLS = {"range": "ArrowRight", "radio": "ArrowRight", "checkbox": "Space", "button": "Enter"}  # type: key
FINGERPRINTS = """knob => [...document.querySelectorAll(`[data-watch~="${knob}"]`)].map(node =>
    node.innerHTML + [node, ...node.querySelectorAll("canvas")].map(one => one.toDataURL?.()).join())"""


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """{name: the file of a demo}, written when it is first asked for."""
    folder, files = tmp_path_factory.mktemp("demos"), {}

    def write(name):
        if name not in files:
            files[name] = demos.write(name, folder / f"{name}.html")
        return files[name]
    return write


def move(page, knob):
    """Move a knob by the keyboard: one step, or a longer formula."""
    control = page.locator(f'[data-knob="{knob}"]').locator("input:checked, input:not([type=radio]), button").first
    kind = control.get_attribute("type")
    control.focus()
    if kind == "text":
        control.fill(f"{control.input_value()} + 1")
    else:
        page.keyboard.press(CONTROLS[kind])


def knobs_of(page):
    """The names of the knobs."""
    return page.eval_on_selector_all("[data-knob]", "nodes => nodes.map(node => node.dataset.knob)")


@pytest.mark.parametrize("name", NAMES)
def test_every_knob_changes_what_the_demo_says(name, written, open_page):
    page = open_page(written(name))
    names = knobs_of(page)
    assert 1 <= len(names) <= 3
    for knob in names:
        before = page.evaluate(FINGERPRINTS, knob)
        assert before, f"no element has data-watch={knob}"
        move(page, knob)
        after = page.evaluate(FINGERPRINTS, knob)
        assert all(one != other for one, other in zip(before, after, strict=True)), f"{knob} leaves something as it was"
        page.locator("h1").click()
        page.keyboard.press("r")
        assert page.evaluate(FINGERPRINTS, knob) == before, f"reset does not undo {knob}"


@pytest.mark.parametrize("name", NAMES)
def test_the_link_restores_the_state(name, written, open_page):
    page = open_page(written(name))
    for knob in knobs_of(page):
        move(page, knob)
    link = page.evaluate("location.hash.slice(1)")
    moved = [page.evaluate(FINGERPRINTS, knob) for knob in knobs_of(page)]
    assert link
    again = open_page(written(name), fragment=link)
    assert [again.evaluate(FINGERPRINTS, knob) for knob in knobs_of(again)] == moved


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_on_the_screen(name, written, open_page):
    page = open_page(written(name))
    size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    width, height = page.evaluate(size)
    assert (width, height) <= (1280, 720)
    assert height <= 720
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(size)[0] <= 390
    smallest = """Math.min(...[...document.querySelectorAll("main *")].filter(node => node.checkVisibility() &&
        [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim())).map(
        node => parseFloat(getComputedStyle(node).fontSize)))"""
    assert page.evaluate(smallest) >= 16


@pytest.mark.parametrize("dtype", demos.DTYPES)
def test_arrays_arrive_as_they_were(dtype, open_page, tmp_path, monkeypatch, rng):
    array = (100 * rng.standard_normal((2, 3, 4))).astype(dtype)
    if dtype == "float16":
        array[0, 0] = 6e-8, np.inf, -0.5, 65504  # the least above 0, and the largest
    monkeypatch.setattr(demos.find_demo("distillation"), "data", lambda: {"array": array})
    monkeypatch.setattr(demos, "read", lambda file: "" if file.startswith("distillation") else demos_read(file))
    path = demos.write("distillation", tmp_path / "array.html")
    read = open_page(path).evaluate("[Array.from(data.array.values, String), data.array.shape, data.array.at(1, 2, 3)]")
    assert (np.array(read[0], dtype=np.float64).reshape(read[1]) == array).all()
    assert read[2] == array[1, 2, 3]


demos_read = demos.read
