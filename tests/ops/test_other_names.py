"""Who looks for a name of PyTorch or NumPy is told ours."""

import numpy as np
import pytest

from minivit import Tensor, ops
from minivit.ops.other_names import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_names_that_are_not_there_lead_to_those_that_are(name):
    for owner in (Tensor(np.ones((2, 3))), ops):
        if not hasattr(owner, name):
            with pytest.raises(AttributeError, match=f"has no '{name}'; the name here is: "):
                getattr(owner, name)
    assert not hasattr(Tensor, name), "the table names what exists"


def test_operations_that_are_no_methods_are_named():
    with pytest.raises(AttributeError, match=r"Tensor has no method 'softmax', .* minivit.ops.softmax\(x, ...\)"):
        Tensor(1.0).softmax(-1)
    with pytest.raises(AttributeError, match="Tensor has no attribute 'colour'"):
        _ = Tensor(1.0).colour
    with pytest.raises(AttributeError, match="minivit.ops has no attribute 'colour'"):
        _ = ops.colour


def test_settings_are_named_too():
    x = Tensor(np.ones((2, 3)))
    for wrong, right, compute in [("keepdim", "keepdims", lambda: x.sum(1, keepdim=True)),
                                  ("dims", "axes", lambda: ops.transpose(x, dims=(1, 0))),
                                  ("unbiased", "ddof", lambda: x.var(unbiased=False)),
                                  ("min", "low", lambda: x.clip(min=0.0)), ("index", "indices",
                                                                           lambda: ops.take(x, index=[0]))]:
        with pytest.raises(TypeError, match=f"there is no '{wrong}'; the name here is '{right}'"):
            compute()
