"""The built site: no warnings, no broken link, and ten of its pages in Chromium, narrow and wide."""

import re
from html import unescape
from urllib.parse import unquote, urlsplit

import pytest

from minivit.lessons.course import COURSE
from minivit.viz.palette import PALETTE

pytestmark = pytest.mark.browser  # so that one process builds the site, once
WRITTEN = [lesson.path.stem for lesson in COURSE if lesson.path.exists()]
PAGES = ["index", "README", "lessons/01_autograd", "lessons/06_vit", "lessons/GLOSSARY", "docs/counts", "docs/teachers",
         "demos/attention", "reference/index", "reference/minivit.models.swin"]
FAULTS = """
() => {
  const found = [];
  for (const one of document.querySelectorAll('html, .content'))
    if (one.scrollWidth > one.clientWidth) found.push(`${one.tagName} is ${one.scrollWidth} pixels wide`);
  for (const image of document.images)
    if (image.complete && !image.naturalWidth) found.push(`${image.src.slice(0, 99)} is no picture`);
  for (const text of document.querySelectorAll('article :is(p, li, td, pre)'))
    if (parseFloat(getComputedStyle(text).fontSize) < 12) found.push(`small: ${text.innerText}`);
  for (const formula of document.querySelectorAll('.math'))
    if (!formula.querySelector('mjx-container')) found.push(`not set: ${formula.innerText}`);
  return found;
}
"""


def colour(page, selector, name):
    """A computed colour of an element, as "#rrggbb"."""
    rgb = page.eval_on_selector(selector, f"element => getComputedStyle(element).{name}")
    return "#" + "".join(f"{int(value):02x}" for value in re.findall(r"\d+", rgb)[:3])


def test_sphinx_has_nothing_to_say(site):
    assert (site.parent / "warnings").read_text(encoding="utf-8") == ""


def test_every_link_leads_somewhere(site):
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html") if path.parent.name != "live"}
    anchors = {path: {unescape(name) for name in re.findall(r'\b(?:id|name)="([^"]*)"', text)}
               for path, text in pages.items()}
    checked, broken = 0, set()
    for page, text in pages.items():
        for link in re.findall(r'<[a-z]+ [^>]*?\b(?:href|src)="([^"]+)"', text):
            parts = urlsplit(unescape(link))
            if parts.scheme:
                if parts.scheme not in ("https", "http", "data"):
                    broken.add(f"{page.relative_to(site)}: {link}")
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            checked += 1
            if not target.is_file() or parts.fragment and unquote(parts.fragment) not in anchors.get(target, ()):
                broken.add(f"{page.relative_to(site)}: {link}")
    assert sorted(broken) == []
    assert checked > 10_000


def test_every_figure_of_a_lesson_has_alt_text(site):
    images = [image for name in WRITTEN
              for image in re.findall("<img [^>]*>", (site / f"lessons/{name}.html").read_text(encoding="utf-8"))]
    assert len(images) > 5 * len(WRITTEN)
    assert [image for image in images if not re.search(r'alt="[^"]*\w \w', image)] == []


def test_papers_are_links(site):
    text = (site / "reference/minivit.models.vit.html").read_text(encoding="utf-8")
    assert '<a class="paper reference external" href="https://arxiv.org/abs/2010.11929">arXiv:2010.11929</a>' in text


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_reports_nothing(name, width, site, open_page):
    page = open_page(site / f"{name}.html", width=width)
    page.wait_for_function("!document.querySelector('.math') || window.MathJax?.startup?.promise")
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert page.locator("h1").first.is_visible()
    assert page.evaluate(FAULTS) == []


def test_one_reads_from_lesson_to_lesson(site, open_page):
    page = open_page(site / "lessons" / f"{WRITTEN[0]}.html")
    for name in WRITTEN[1:]:
        page.locator("a.next-page").click()
        page.wait_for_url(f"**/{name}.html")
    page.locator("a.prev-page").click()
    page.wait_for_url(f"**/{WRITTEN[-2]}.html")


def test_search_finds_a_word_and_a_symbol(site, open_page):
    page = open_page(site / "index.html")
    for words, found in (("patch merging", "17_swin.html"), ("window_partition", "minivit.models.swin.html")):
        page.locator("input[name=q]").first.fill(words)
        page.keyboard.press("Enter")
        page.locator(f"#search-results a[href*='{found}']").first.wait_for()


def test_planned_lessons_are_folded_away(site, open_page):
    lesson = next(lesson for lesson in COURSE if not lesson.path.exists())
    page = open_page(site / "index.html")
    planned = page.locator("details.planned").get_by_text(f"{lesson.number} {lesson.name}").first
    assert not planned.is_visible()
    page.locator("details.planned summary").first.click()
    assert planned.is_visible()


def test_a_button_copies_a_cell(site, open_page):
    page = open_page(site / "lessons/01_autograd.html")
    page.locator(".cell_input").first.hover()
    page.locator(".cell_input button.copybtn").first.click()
    page.locator(".cell_input button.copybtn.success").first.wait_for()


def test_a_demo_plays_in_its_lesson_and_follows_the_theme(site, open_page):
    page = open_page(site / "lessons/03_attention.html", dark=True)
    page.locator("iframe.demo").scroll_into_view_if_needed()
    demo = page.frame_locator("iframe.demo")
    demo.locator("h1").wait_for()
    before = demo.locator("[data-watch~=temperature]").first.inner_text()
    demo.locator("[data-knob=temperature] input").press("ArrowRight")
    assert demo.locator("[data-watch~=temperature]").first.inner_text() != before
    demo.locator("html.dark").wait_for()
    page.locator(".theme-toggle:visible").first.click()
    demo.locator("html.light").wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_colours_are_those_of_the_palette(dark, site, open_page):
    page = open_page(site / "lessons/01_autograd.html", dark=dark)
    assert colour(page, "body", "backgroundColor") == PALETTE["page"][dark]
    assert colour(page, "article p", "color") == PALETTE["ink"][dark]
    assert colour(page, "article a.reference.internal", "color") == PALETTE["query"][dark]
    page.locator(".theme-toggle:visible").first.click()  # from what the system wants to the other
    assert colour(page, "body", "backgroundColor") == PALETTE["page"][not dark]
