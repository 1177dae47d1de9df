"""Progress bars in terminal, notebook and log file."""

import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tqdm falls back to text where ipywidgets is missing, and says so at length
    from tqdm.auto import tqdm


def progress_bar(total, description, *, initial=0, **settings):
    """A tqdm bar that counts pictures; where nobody watches (a log file) it moves every ten seconds only."""
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(total=total, desc=description, initial=initial, unit=" images", unit_scale=True, smoothing=0.1,
                mininterval=0.2 if watched else 10, **settings)
