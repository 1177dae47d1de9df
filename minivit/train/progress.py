"""Progress bars that count pictures."""

import sys

from ..bars import bar, in_notebook
from ..processes import processes


def progress_bar(total, description, *, initial=0, disable=False, **settings):
    """A bar that counts pictures; where nobody watches (a log file) it moves every ten seconds only.

    Of several processes that train together, the first one shows it.
    """
    watched = sys.stderr.isatty() or in_notebook()
    return bar(total=total, desc=description, initial=initial, unit=" images", unit_scale=True, smoothing=0.1,
               disable=disable or processes().rank > 0, mininterval=0.2 if watched else 10, **settings)
