"""What the notebooks of `lessons/` use besides the library: pictures, a budget, a training loop for any objective."""

from ..bars import in_notebook
from .numeric import numeric
from .training import SMOKE_RUN, Pictures, accuracy, budget, fit, load_pictures
from .weights import trained

if in_notebook() and budget(False, smoke=True):
    print(SMOKE_RUN)  # below the first cell of a lesson, which imports this
