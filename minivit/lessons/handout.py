"""Slides as a PDF file, one slide a page, printed by Chromium."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SANDBOX = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []  # Chromium's does not start for root
PATIENCE = 120  # seconds for a lesson


def handout(html):
    """The PDF file of slides.

    Parameters
    ----------
    html : str
        As `minivit.lessons.slides.slides` returns it.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If there is no Chromium or Chrome on the PATH, or it prints nothing.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ValueError(f"--pdf needs Chromium or Chrome: none of {', '.join(BROWSERS)} is on the PATH. Install one, "
                         "or open the HTML file in any browser with ?print-pdf behind its address, and print it")
    with TemporaryDirectory() as folder:
        page, out = Path(folder) / "slides.html", Path(folder) / "slides.pdf"
        page.write_text(html, encoding="utf-8")
        printing = subprocess.run(
            [browser, "--headless", *SANDBOX, "--disable-gpu", f"--user-data-dir={folder}/profile",
             "--no-pdf-header-footer", "--virtual-time-budget=30000", f"--print-to-pdf={out}",
             f"{page.as_uri()}?print-pdf"], capture_output=True, text=True, timeout=PATIENCE, check=False)
        if not out.exists():
            last = (printing.stderr.strip() or "no message").splitlines()[-1]
            raise ValueError(f"--pdf: {browser} printed nothing (exit code {printing.returncode}): {last}")
        return out.read_bytes()
