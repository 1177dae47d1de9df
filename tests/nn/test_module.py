"""Module: finding parameters, loading states, moving, printing."""

import numpy as np
import pytest

from minivit import Tensor, nn
from minivit.nn import Buffer, Linear, Module, Parameter, Sequential, normal, ones, zeros


class Part(Module):
    def __init__(self):
        self.weight = Parameter((2, 3), normal(1.0))
        self.mean = Buffer((3,), zeros)

    def forward(self, x):
        return x @ self.weight + self.mean


class Whole(Module):
    def __init__(self):
        self.parts = [Part(), Part()]
        self.named = {"left": Linear(3, 5), "right": (Linear(5, 7, bias=False),)}
        self.scale = Parameter((1,), ones)
        self.shared = self.parts[0]
        self.table = np.arange(4.0)


NAMES = ["scale", "parts.0.weight", "parts.0.mean", "parts.1.weight", "parts.1.mean", "named.left.weight",
         "named.left.bias", "named.right.0.weight"]


def test_parameters_are_found_through_attributes_lists_tuples_and_dicts_each_once():
    whole = Whole()
    assert list(whole.state_dict()) == NAMES
    assert [name for name, _ in whole.named_parameters()] == [name for name in NAMES if "mean" not in name]
    assert [name for name, _ in whole.named_buffers()] == ["parts.0.mean", "parts.1.mean"]
    assert len(whole.parameters()) == 6


def test_state_dict_and_load_state_dict_are_inverse():
    first, second = Whole().initialise(1), Whole().initialise(2)
    assert not np.array_equal(first.parts[0].weight.numpy(), second.parts[0].weight.numpy())
    second.load_state_dict(first.state_dict())
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], value, err_msg=name)


def test_state_dict_is_a_copy():
    part = Part()
    part.state_dict()["weight"][:] = 7
    assert not (part.weight.numpy() == 7).any()


def test_load_state_dict_names_everything_that_is_wrong_and_changes_nothing():
    whole = Whole()
    before, state = whole.state_dict(), whole.state_dict()
    del state["scale"]
    state["parts.0.mean"] = np.zeros(4)
    state["extra"] = np.zeros((2, 2))
    with pytest.raises(ValueError, match="load_state_dict of Whole") as caught:
        whole.load_state_dict(state)
    message = str(caught.value)
    assert "missing: scale (1,)" in message
    assert "unexpected: extra (2, 2)" in message
    assert "parts.0.mean: expected shape (3,), got (4,)" in message
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_load_state_dict_keeps_the_dtype_of_the_parameter():
    part = Part()
    part.load_state_dict({"weight": np.ones((2, 3)), "mean": np.ones(3)})
    assert part.weight.dtype == np.float32


def test_weights_depend_on_seed_and_name_alone():
    alone, inside = Linear(3, 5), Whole()
    inside.initialise(3)
    again = Whole().initialise(3)
    np.testing.assert_array_equal(inside.named["left"].weight.numpy(), again.named["left"].weight.numpy())
    assert not np.array_equal(inside.parts[0].weight.numpy(), inside.parts[1].weight.numpy())
    assert not np.array_equal(alone.weight.numpy(), Linear(3, 5).weight.numpy())  # two bare layers differ


def test_declaring_a_parameter_takes_no_memory():
    huge = Linear(10 ** 6, 10 ** 6)
    assert sum(p.size for p in huge.parameters()) == 10 ** 12 + 10 ** 6
    assert huge.weight.shape == (10 ** 6, 10 ** 6)


def test_train_and_eval_reach_every_part():
    whole = Whole().eval()
    assert not any(module.training for module in whole.modules())
    assert all(module.training for module in whole.train().modules())


def test_astype_converts_parameters_buffers_and_arrays():
    whole = Whole().astype(np.float64)
    assert {value.dtype for value in whole.state_dict().values()} == {np.dtype(np.float64)}
    assert Whole().astype(np.float32).table.dtype == np.float32


def test_repr_counts_parameters_and_shows_equal_neighbours_once():
    text = repr(Sequential(Linear(3, 4), Linear(4, 4), Linear(4, 4), Linear(4, 4)))
    rows = text.splitlines()
    assert rows[0].startswith("Sequential()")
    assert rows[0].endswith("76")
    assert len(rows) == 3
    assert "layers.1 to layers.3: Linear(4 -> 4)" in rows[2]
    assert rows[2].endswith("20")


def test_sequential_applies_in_order_and_takes_functions():
    first = Linear(2, 3)
    x = np.ones((4, 2), np.float32)
    chain = Sequential(first, lambda y: y * 2)
    np.testing.assert_array_equal(chain(x).numpy(), 2 * first(x).numpy())
    assert len(chain) == 2
    assert chain[0] is first


def test_watch_sees_calls_in_order_of_entering():
    seen = []

    def watcher(module, inputs, settings):
        seen.append((type(module).__name__, inputs[0].shape))
        output = module.forward(*inputs, **settings)
        seen.append(output.shape)
        return output

    with nn.intercept_calls(watcher):
        Sequential(Linear(2, 3), Linear(3, 4))(Tensor(np.ones((5, 2), np.float32)))
    Linear(2, 3)(np.ones((1, 2), np.float32))
    assert seen == [("Sequential", (5, 2)), ("Linear", (5, 2)), (5, 3), ("Linear", (5, 3)), (5, 4), (5, 4)]
