"""A browser for what is written as HTML: Debian's chromium, driven by Playwright.

`browser` starts once for a session of tests, and its tests run in one process, so that there is one browser.
`open_page` gives pages; a test fails in which one of them reports an error or asks for anything beyond its file.
"""

import os
import shutil
from pathlib import Path

import pytest

INSIDE = ("file:", "data:", "blob:", "about:")  # what a page may load


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; skips where it, or Playwright, is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: requirements-dev.txt")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox does not start for root
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if root else [])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """open_page(path, width=1280, height=720, dark=False, fragment="") -> Playwright's page of a file.

    `fragment` is what stands behind # in the link. `page.problems` lists errors and requests; it must be empty at the
    end of the test.
    """
    contexts, pages = [], []

    def open_file(path, *, width=1280, height=720, dark=False, fragment=""):
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce",
                                      color_scheme="dark" if dark else "light")
        contexts.append(context)
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(60_000)  # a deck takes 2 s to load, on a busy machine more than 10
        page.problems = problems = []
        page.on("console", lambda message: message.type in ("error", "warning") and problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: request.url.startswith(INSIDE) or problems.append(request.url))
        page.goto(Path(path).resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert [problem for page in pages for problem in page.problems] == []
