"""Architectures drawn from their models: every family, legible, with the shapes that flow, and the same in words."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import pytest

from minivit import ops, viz
from minivit.models import create, list_models
from minivit.nn import Attention, Conv2d, Linear, Module
from minivit.tasks.mae import VARIANTS as MASKED
from minivit.viz.architecture.sheet import text_width

SVG = "{http://www.w3.org/2000/svg}"
BACKGROUND = "() => getComputedStyle(document.querySelector('.page')).fill"
ON_THE_PAGE = """() => {
    const page = document.querySelector('.page').getBoundingClientRect();
    return [...document.querySelectorAll('text')].every(text => {
        const room = text.getBoundingClientRect();
        return page.left <= room.left && room.right <= page.right && room.width > 0;
    });
}"""  # whether every text lies on the page


@dataclass
class Area:
    """Something drawn: its classes, its text, and the room that it takes."""

    classes: set
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other):
        return min(self.right, other.right) - max(self.left, other.left) > 0.5 \
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.5

    def holds(self, other):
        return self.left <= other.left + 0.5 and self.top <= other.top + 0.5 \
            and other.right <= self.right + 0.5 and other.bottom <= self.bottom + 0.5


def areas(svg):
    """(the page, boxes, texts) of a drawing."""
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    group = root.find(f"{SVG}g")
    right, down = map(float, re.findall(r"-?[\d.]+", group.get("transform")))
    boxes, texts = [], []
    for element in group:
        classes = set(element.get("class").split())
        x, y = float(element.get("x", 0)) + right, float(element.get("y", 0)) + down
        if element.tag == f"{SVG}rect":
            boxes.append(Area(classes, "", x, y, x + float(element.get("width")), y + float(element.get("height"))))
        elif element.tag == f"{SVG}text":
            size = int(element.get("font-size"))
            wide = text_width(element.text, size, bool(classes & {"title", "section"}))
            x -= {"start": 0, "middle": wide / 2, "end": wide}[element.get("text-anchor")]
            texts.append(Area(classes, element.text, x, y - 0.75 * size, x + wide, y + 0.2 * size))
    return Area(set(), "", 0, 0, width, height), boxes, texts


def texts_of(drawing):
    """All that is written in a drawing, in its order."""
    return [text.text for text in areas(drawing.svg)[2]]


def check_legible(drawing):
    page, boxes, texts = areas(drawing.svg)
    assert boxes
    assert texts
    for one, other in itertools.combinations(boxes, 2):
        nested = "frame" in one.classes and one.holds(other) or "frame" in other.classes and other.holds(one)
        assert nested or not one.overlaps(other), (one, other)
    for one, other in itertools.combinations(texts, 2):
        assert not one.overlaps(other), (one, other)
    for area in boxes + texts:
        assert page.holds(area), area
    for text in texts:
        assert "inside" not in text.classes or any(box.holds(text) for box in boxes), text
        assert not any("box" in box.classes and box.overlaps(text) and not box.holds(text) for box in boxes), text


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("name", list_models())
def test_every_family_is_drawn_legibly_and_told_in_words(name, level):
    model = create(name)
    drawing = viz.architecture(model, level=level)
    check_legible(drawing)
    assert drawing.alt.startswith(f"{type(model).__name__}. ")
    for text in texts_of(drawing):
        words = re.sub(r" ?× \d+", "", text)
        assert words in drawing.alt or words == "+", text


@pytest.mark.parametrize("name", ["vit", "swin", "resnet", "detr", "clip"])
def test_deeper_levels_are_legible_and_show_more(name):
    model = create(name)
    drawings = [viz.architecture(model, level=level) for level in range(4)]
    check_legible(drawings[2])
    check_legible(drawings[3])
    numbers = [len(texts_of(drawing)) for drawing in drawings]
    assert numbers[0] < numbers[1] < numbers[2] <= numbers[3]


@pytest.mark.parametrize("name, variant, level", [
    ("vit", "tiny", 0), ("vit", "tiny", 1), ("swin", "tiny", 0), ("swin", "tiny", 1)])
def test_what_a_slide_shows_fits_it_in_letters_that_can_be_read(name, variant, level):
    drawing = viz.architecture(create(name, variant), level=level)
    assert drawing.width <= 1280
    assert drawing.height <= 720
    assert drawing.width >= 0.85 * areas(drawing.svg)[0].right  # letters of 13 pixels and more


def test_the_drawing_of_a_vit_has_its_parts_and_the_shapes_between_them():
    texts = texts_of(viz.architecture(create("vit", "tiny")))
    assert texts.count("+") == 2
    assert "× 12" in texts
    assert {"images", "patch_embed", "blocks", "norm1", "attention", "norm2", "mlp", "norm", "head"} <= set(texts)
    assert {"(B, 224, 224, 3)", "(B, 196, 192)", "(B, 197, 192)", "(B, 192)", "(B, 1000)"} <= set(texts)


def test_other_pictures_other_shapes():
    model = create("vit", "tiny")
    assert "(B, 576, 192)" in texts_of(viz.architecture(model, shape=(8, 384, 384, 3)))


def test_the_model_stays_as_it_is():
    model = create("vit")
    before = model.state_dict()
    viz.architecture(model.train())
    assert model.training
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


class Twice(Module):
    """Adds what it was given to what two layers make of it."""

    def __init__(self):
        self.first, self.second = Linear(8, 16), Linear(16, 8)

    def forward(self, x):
        return x + self.second(ops.gelu(self.first(x)))


def test_a_part_of_a_model_and_a_line_round_boxes():
    drawing = viz.architecture(Twice(), shape=(1, 5, 8))
    assert drawing.alt == ("Twice. first (Linear(8 -> 16)) of x (B, 5, 8), then gelu on (B, 5, 16), then second "
                           "(Linear(16 -> 8)), then plus of x (B, 5, 8) and second (B, 5, 8), which makes (B, 5, 8).")
    lines = [path.get("d") for path in ElementTree.fromstring(drawing.svg).iter(f"{SVG}path")
             if path.get("class") == "line"]
    assert len(lines) == 6
    assert ["Q" in line for line in lines].count(True) == 1  # one has corners


def highlighted(drawing):
    return [box for box in areas(drawing.svg)[1] if "highlighted" in box.classes]


@pytest.mark.parametrize("highlight, level, number", [
    ("attention", 1, 1), (Attention, 1, 1), (["attention", "mlp"], 1, 2), ("blocks", 1, 1), ("blocks.*.mlp", 1, 1),
    ((), 1, 0), ("attention", 0, 1), ("blocks", 0, 1), ("qkv", 1, 1), ("head", 0, 1), ("self_attention", 1, 1)])
def test_what_a_lesson_is_about_is_coloured(highlight, level, number):
    assert len(highlighted(viz.architecture(create("vit"), highlight, level))) == number


def test_one_block_that_is_meant_is_not_folded_into_the_others():
    texts = texts_of(viz.architecture(create("vit"), "blocks.2", level=0))
    assert [text for text in texts if "blocks" in text] == ["blocks × 2", "blocks.2", "blocks × 3"]


def test_layers_of_different_names_are_not_one_that_is_repeated():
    texts = texts_of(viz.architecture(create("axial")))
    assert {"rows", "columns"} <= set(texts)


def test_stages_draw_the_inside_of_each_design_once():
    texts = texts_of(viz.architecture(create("swin", "tiny")))
    assert texts.count("roll") == 2
    written = " ".join(texts)  # long settings take two lines
    assert written.count("WindowAttention(7 x 7, 3 heads)") == written.count("WindowAttention") == 2


def test_long_settings_take_two_lines_broken_at_a_comma():
    class Conv(Module):
        def __init__(self, *arguments, **settings):
            self.conv = Conv2d(*arguments, **settings)

        def forward(self, x):
            return self.conv(x)
    drawing = viz.architecture(Conv(12, 24, 3, stride=2, padding=1), level=0, shape=(1, 8, 8, 12))
    check_legible(drawing)
    texts = texts_of(drawing)
    assert texts[texts.index("conv"):][:3] == ["conv", "Conv2d(3 x 3, 12 -> 24,", "stride 2, padding 1)"]
    assert "Conv2d(3 x 3, 12 -> 24, stride 2, padding 1)" in drawing.alt
    assert "Conv2d(1 x 1, 12 -> 24)" in texts_of(viz.architecture(Conv(12, 24, 1), level=0, shape=(1, 8, 8, 12)))


def test_what_the_next_turn_alone_is_given_is_said():
    drawing = viz.architecture(create("tnt"), level=0)
    assert "for the next" in texts_of(drawing)
    assert "which makes (B, 65, 96) and (64B, 16, 8) for the next]" in drawing.alt


def test_no_arrow_for_what_holds_nothing_or_only_says_where_something_stands():
    drawing = viz.architecture(MASKED["cifar"](), level=0)  # it has no class token, and draws its masks by itself
    assert "concatenate" not in texts_of(drawing)
    assert "then pick on (B, 64, 128), then 6 times encoder.blocks (Block) on (B, 16, 128)" in drawing.alt
    assert "then concatenate mask_token on (B, 16, 96), then pick on (B, 64, 96), then" in drawing.alt


@pytest.mark.browser
def test_a_browser_writes_every_text_on_the_page_and_follows_light_and_dark(tmp_path, open_page):
    drawing = viz.architecture(create("swin"), "roll").svg
    (tmp_path / "swin.svg").write_text(drawing, encoding="utf-8")
    for dark in (False, True):
        page = open_page(tmp_path / "swin.svg", dark=dark)
        assert page.evaluate(BACKGROUND) == ("rgb(21, 25, 30)" if dark else "rgb(255, 255, 255)")
        assert page.evaluate(ON_THE_PAGE)
    inside = drawing[drawing.index("<svg"):]
    (tmp_path / "page.html").write_text(f'<!DOCTYPE html><body class="dark">{inside}</body>', encoding="utf-8")
    assert open_page(tmp_path / "page.html").evaluate(BACKGROUND) == "rgb(21, 25, 30)"


def test_the_rules_of_the_style_hold_in_this_drawing_alone():
    style = ElementTree.fromstring(viz.architecture(create("vit")).svg).find(f".//{SVG}style").text
    selectors = re.findall(r"(?:^|[}{\n])\s*([^{}@\n]+)\{", style)
    assert len(selectors) > 10
    assert all(".architecture" in selector for selector in ",".join(selectors).split(","))


def test_a_notebook_shows_it():
    drawing = viz.architecture(create("vit"))
    bundle = drawing._repr_mimebundle_()
    assert bundle == {"image/svg+xml": drawing.svg, "text/plain": drawing.alt}
    assert ElementTree.fromstring(drawing.svg).find(f"{SVG}desc").text == drawing.alt


@pytest.mark.parametrize("arguments, error, message", [
    ({"model": "vit"}, TypeError, "model: expected a Module, got str"),
    ({"model": Linear(4, 4)}, ValueError, r"shape: .* Linear .* has no image_size"),
    ({"level": -1}, ValueError, "level: expected 0 to 3, got -1"),
    ({"level": 4}, ValueError, "level: expected 0 to 3, got 4"),
    ({"highlight": "atention"}, ValueError, "highlight: 'atention' does not exist; did you mean 'attention'"),
])
def test_mistakes(arguments, error, message):
    with pytest.raises(error, match=message):
        viz.architecture(**({"model": create("vit")} | arguments))
