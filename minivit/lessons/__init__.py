"""What the notebooks of `lessons/` use besides the library: pictures, a budget, a training loop for any objective, and
verdicts on what was found.
"""

from ..bars import in_notebook
from .chance import chance
from .numeric import numeric
from .outcome import outcome, result
from .training import SMOKE_RUN, Pictures, accuracy, budget, fit, load_pictures
from .verdict import Verdict, verdict
from .weights import trained

if in_notebook() and budget(False, smoke=True):
    print(SMOKE_RUN)  # below the first cell of a lesson, which imports this
