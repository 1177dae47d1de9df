import numpy as np
from scipy import special

from minivit import ops
from tests.ops.cases import Case, check, positive

CASES = [
    Case(ops.add, (3, 4), (3, 4), numpy=np.add),
    Case(ops.add, (2, 3, 4), (4,), numpy=np.add),
    Case(ops.exp, (3, 4), numpy=np.exp),
    Case(ops.log, positive(3, 4), numpy=np.log),
    Case(ops.erf, (3, 4), numpy=special.erf),
    Case(ops.pow, (3, 4), 3, torch=lambda torch, x, y: x ** y),
]


def test_op(case, device):
    check(case, device)
