"""Every lesson's slides in Chromium, 1280 x 720: nothing runs out of its slide, nothing is too small to read."""

import pytest

from minivit.lessons import assets as assets_module
from minivit.lessons.course import FOLDER
from minivit.lessons.handout import handout

pytest.importorskip("nbconvert")
pytest.importorskip("tests.browser", reason="needs tests/browser.py")
from minivit.cli.slides import live_demo  # noqa: E402
from minivit.lessons.slides import slides  # noqa: E402

pytestmark = pytest.mark.browser
PATHS = sorted(FOLDER.glob("*.ipynb"))
FAULTS = """
() => Array.from(document.querySelectorAll('.slides > section'), (section, number) => {
  Reveal.slide(number);
  const sheet = section.querySelector('.sheet'), title = sheet.querySelector('h2'), found = [];
  const size = element => parseFloat(getComputedStyle(element).fontSize);
  const block = element => getComputedStyle(element).display !== 'inline';
  const wider = element => block(element) && element.scrollWidth > element.clientWidth + 1;
  if (sheet.scrollHeight > 720 || sheet.scrollWidth > 1280)
    found.push(`runs out: ${sheet.scrollWidth} x ${sheet.scrollHeight}`);
  if (sheet.children.length < 2 && !sheet.matches('.predict')) found.push('nothing below the title');
  if (title.getBoundingClientRect().height > 4 * 68) found.push('the title has more than four lines');
  for (const wide of sheet.querySelectorAll('pre, table, mjx-container'))
    if (wider(wide)) found.push(`${wide.tagName} is cut off`);
  for (const text of sheet.querySelectorAll('pre, p, li, td, code'))
    if (size(text) < 24) found.push(`type of ${size(text)} px`);
  for (const figure of sheet.querySelectorAll('.figure, .demo'))
    if (figure.clientHeight < 280) found.push(`a figure ${figure.clientHeight} px high`);
  return found.length ? `${title.innerText}: ${found.join(', ')}` : '';
}).filter(Boolean)
"""


@pytest.fixture(scope="module")
def assets():
    """reveal.js and MathJax, once a run; without them there is nothing to look at."""
    try:
        return assets_module.assets()
    except ConnectionError as error:
        pytest.skip(f"needs reveal.js and MathJax: {error}")


@pytest.fixture
def deck(assets, open_page, tmp_path):
    """A function that opens the slides of a lesson."""
    def show(path, demo=None):
        file = tmp_path / "slides.html"
        file.write_text(slides(path, assets, demo), encoding="utf-8")
        page = open_page(file)
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        return page
    return show


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_slide_fits_and_can_be_read(deck, path):
    page = deck(path, live_demo)
    assert page.evaluate(FAULTS) == []
    assert 20 <= page.evaluate("Reveal.getTotalSlides()") <= 25


def test_the_keys_of_the_lecturer(deck):
    page = deck(PATHS[0])
    waiting = page.locator(".present .fragment:not(.visible)").count()
    assert waiting
    for _ in range(waiting):
        page.keyboard.press("Space")
        assert page.evaluate("Reveal.getIndices().h") == 0
    assert page.locator(".present .fragment:not(.visible)").count() == 0
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getIndices().h") == 1
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.className").split().count("dark") == 1
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    opened.value.wait_for_selector(".speaker-controls-notes .value >> text=ten seconds")


def test_a_handout_has_a_page_for_each_slide(assets):
    pdf = handout(slides(PATHS[0], assets))
    assert pdf.startswith(b"%PDF")
    assert 20 <= pdf.count(b"/Type /Page\n") <= 25
