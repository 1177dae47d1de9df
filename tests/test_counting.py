"""Counting by shapes: what is counted has the shape that it has when it is computed."""

import numpy as np
import pytest

import minivit
from minivit.counting import UNCHANGED, count

CONVOLUTIONS = [dict(padding="same", stride=2), dict(padding="valid"), dict(padding=((0, 1), (2, 0))),
                dict(padding=(1, 2)), dict(stride=np.int64(2), dilation=(2, 1), padding=[1, 0])]


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_convolutions_with_any_padding_are_counted_with_the_shape_that_they_have(settings):
    layer = minivit.nn.Conv2d(3, 8, (3, 5), **settings)
    output = layer(np.zeros((2, 9, 11, 3), np.float32))
    counted = count(layer, (2, 9, 11, 3))
    assert counted.rows[0].output == output.shape
    assert counted.multiply_adds == output.size * 3 * 5 * 3


@pytest.mark.parametrize("name", sorted(UNCHANGED))
def test_what_is_not_run_to_be_counted_leaves_the_shape_as_it_is(name):
    settings = {"layer_norm": dict(eps=0.1), "rms_norm": dict(eps=0.1), "batch_norm": dict(eps=0.1),
                "group_norm": dict(eps=0.1, groups=2)}.get(name, {})
    operation = getattr(minivit.ops, name)

    class Model(minivit.nn.Module):
        def forward(self, x):
            return operation(x, **settings)
    assert operation(np.ones((2, 3, 4), np.float32), **settings).shape == (2, 3, 4)
    counted = count(Model(), (2, 3, 4))
    assert counted.rows[0].output == (2, 3, 4)
    assert counted.multiply_adds == 0


def test_layers_beside_the_models_are_counted():
    class Model(minivit.nn.Module):
        def __init__(self):
            self.cross, self.attention = minivit.nn.CrossAttention(8, 2), minivit.nn.Attention(8, 2, is_causal=True)
            self.norm = minivit.nn.LayerNorm((6, 8), bias=False)

        def forward(self, x):
            return minivit.ops.glu(self.norm(self.attention(self.cross(x, x[:, :3]))))
    counted = count(Model(), (1, 6, 8))
    assert counted.rows[0].output == (1, 6, 4)
    cross = 6 * 8 * 8 + 3 * 8 * 16 + 2 * 6 * 3 * 8 + 6 * 8 * 8
    assert counted.multiply_adds == cross + 6 * 8 * 24 + 2 * 6 * 6 * 8 + 6 * 8 * 8


def test_an_operation_with_other_indices_is_another_operation():
    class Picks(minivit.nn.Module):
        def forward(self, x):
            return minivit.ops.concatenate([x[np.array([True, False])], x[np.array([True, True])]])
    assert count(Picks(), (2, 3)).rows[0].output == (3, 3)
