"""Progress bars in terminal, notebook and log file."""

import sys


def bar(**settings):
    """A tqdm bar of text. A notebook shows what goes to stderr on red, as an error: there, it goes to stdout."""
    from tqdm import tqdm  # here, because it is slow to import
    return tqdm(file=sys.stdout if in_notebook() else sys.stderr, **settings)


def in_notebook():
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
