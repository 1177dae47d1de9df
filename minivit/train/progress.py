"""Progress bars that count pictures."""

import sys

from ..bars import bar, in_notebook


def progress_bar(total, description, *, initial=0, **settings):
    """A bar that counts pictures; where nobody watches (a log file) it moves every ten seconds only."""
    watched = sys.stderr.isatty() or in_notebook()
    return bar(total=total, desc=description, initial=initial, unit=" images", unit_scale=True, smoothing=0.1,
               mininterval=0.2 if watched else 10, **settings)
