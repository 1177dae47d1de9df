"""Rules see what a notebook would run, and names where they are the library's."""

import pytest

from minivit.grading.rules import MAGICS, examine, to_python

GIVEN = "import numpy as np\nimport math"
FORBID = ["interp", "broadcast_to", "broadcast"]


@pytest.mark.parametrize("source", [
    "import torch", "from minivit.ops import softmax", "from scipy import special", "import scipy.special as s",
    "%time import torch", "%timeit -n 1 -r 1 import torch", "%time %time import torch", "y = %time np.interp(x)",
    "import torch\nnp?", "x = 1\n%timeit -n1 x\nfrom scipy import special", "%%time\nimport torch",
    "!ls\nx = 1", "files = !ls", "files = %sx ls", "%%bash\nls", "%run other.py", "%pip install torch", "%load x.py",
    "%cd ..",
    "%%writefile x.py\nx", "get_ipython().system('ls')", "get_ipython().run_line_magic('pip', 'install x')",
    "__import__('torch')", "import importlib\nimportlib.import_module('scipy.special')", "import pandas as pd",
    "from . import x", "import tqdm", "try:\n    import numba\nexcept ImportError: pass",
    "y = np.interp(x, a, b)", "from numpy import interp\ny = interp(x, a, b)",
    "from numpy import exp, interp as i\ny = i(x)",
    "import numpy\ny = numpy.interp(x)", "import numpy as n\nn.interp(x)", "m = np\nm.interp(x)", "f = np.interp\nf(x)",
    "getattr(np, 'interp')(x)", "np.__dict__['interp'](x)", "vars(np)['interp'](x)", "from numpy import *\ninterp(x)",
    "%time y = np.interp(x, a, b)", "np.interp?\ny = np.interp(x)", "def f(x):\n    return np.broadcast_to(x, (2,))",
    "from numpy.lib.stride_tricks import broadcast_to\nbroadcast_to(x, 2)", "import math\nmath.interp(x)"])
def test_what_is_not_allowed_is_refused(source):
    assert examine(source, FORBID, GIVEN)[0]


@pytest.mark.parametrize("source", [
    "import numpy as np", "import matplotlib.pyplot as plt\nplt.plot([1])", "%matplotlib inline", "%time x = 1", "np?",
    "?np.exp",
    "%config InlineBackend.figure_format = 'svg'", "%load_ext autoreload\n%autoreload 2", "%%time\nx = 1",
    "%%capture\nx = 1",
    "interp = 1\ny = interp + 1", "def interp(x):\n    return x\ny = interp(2)",
    "broadcast = np.zeros(3)\nbroadcast[0]",
    "def f(broadcast):\n    return broadcast", "x.interp", "class A:\n    broadcast = 1\nA.broadcast",
    "interpolated = 1",
    "for broadcast in x: print(broadcast)", "import random, itertools, functools, math, time, warnings, typing",
    "from minivit.grading.show import show", "from __future__ import annotations", "def f(:", "", "(" * 300, "\x00",
    "from IPython.display import display", "%precision 3"])
def test_what_is_allowed_is_not(source):
    assert not examine(source, FORBID, GIVEN)[0]


@pytest.mark.parametrize("source, count", [
    ("import os\nexec('1')\nprint(1)", 2), ("%time x = 1", 0), ("ip = get_ipython()", 1), ("open('x')", 1),
    ("def open(x): return x\nopen(1)", 0), ("().__class__.__base__.__subclasses__()", 1),
    ("getattr(np, 'in' + 'terp')", 1),
    ("display = 1\nprint(display)", 0), ("%timeit np.exp(1)", 0)])
def test_what_is_odd_is_only_remarked(source, count):
    refused, remarked = examine(source, FORBID, GIVEN)
    assert (refused, len(remarked)) == ([], count)


@pytest.mark.parametrize("source, remarked", [
    ("y = (f(x + h) - f(x - h)) / (2 * h)", False), ("h = 1e-3\ny = (f(x + h) - f(x - h)) / (2 * h)", True),
    ("def g(x, h=1e-5): return (f(x + h) - f(x)) / h", True), ("y = (f(x + 1e-6) - f(x)) / 1e-6", True),
    ("y = f(x + 1e-20j).imag / 1e-20", True), ("eps = 1e-6\ny = x / np.sqrt(v + eps)", False),
    ("y = x / (s + 1e-8)", False),
    ("y = dy / len(x)", False), ("scale = 0.5\ny = x / scale", False), ("d = 10 ** -4\ng /= 2 * d", True),
    ("h = 99 ** 99 ** 99 ** 99\ny = x / h", False)])
def test_numeric_differences_are_remarked(source, remarked):
    assert bool(examine(source, (), GIVEN, formula=True)[1]) == remarked
    assert not examine(source, (), GIVEN)[1]


def test_a_cell_becomes_python_as_a_notebook_does_it():
    assert to_python("x = 1\n") == "x = 1\n"
    assert "run_line_magic('time'" in to_python("%time x = 1")
    assert to_python("%time\n" * 1000) == "%time\n" * 1000  # a burden, and no answer
    assert {"time", "timeit", "matplotlib", "config"} <= MAGICS
