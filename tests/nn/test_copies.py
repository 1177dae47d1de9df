"""Models and tensors are copied, pickled and sent to other processes; what is not drawn yet stays so."""

import copy
import multiprocessing
import pickle
from functools import partial

import numpy as np
import pytest

import minivit
from minivit import Tensor, nn
from minivit.tasks.mae import MAE

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x)),
          **{f"protocol {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, protocol=n)) for n in range(6)}}


def mean_output(model, images):
    """What another process computes."""
    with minivit.no_grad():
        return float(model(Tensor(images)).data.sum())


@pytest.mark.parametrize("name", minivit.list_models("classify"))
@pytest.mark.parametrize("way", ["deepcopy", "pickle", "protocol 0"])
def test_every_model(name, way):
    model = minivit.create(name, "cifar").eval()
    twin = COPIES[way](model)
    assert all(p._drawn is None for p in twin.parameters()), "a copy draws no weights"
    images = np.random.default_rng(0).standard_normal((2, 32, 32, 3), np.float32)
    assert mean_output(twin, images) == mean_output(model, images)
    again = COPIES[way](model)  # now with weights
    assert mean_output(again, images) == mean_output(model, images)
    parameter = next(iter(again.parameters()))
    parameter.mutable()[...] = 0
    assert model.parameters()[0].data.any()


def test_masked_autoencoders_too():
    model = MAE(partial(minivit.create, "vit", "cifar", depth=1), decoder_dim=8, decoder_depth=1, decoder_heads=2)
    twin = COPIES["pickle"](model)
    for (name, one), (_, other) in zip(model.state_dict().items(), twin.state_dict().items(), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("initialiser", [nn.zeros, nn.ones, nn.constant(2.0), nn.normal(0.1), nn.truncated_normal(),
                                         nn.uniform(0.3), nn.xavier_uniform, nn.kaiming_normal])
@pytest.mark.parametrize("way", COPIES)
def test_every_initialiser(initialiser, way):
    parameter = nn.Parameter((3, 3, 4, 5), initialiser)
    twin = COPIES[way](parameter)
    assert twin._drawn is None
    np.testing.assert_array_equal(twin.data, parameter.data)
    buffer = COPIES[way](nn.Buffer((3, 4), nn.zeros))
    assert not buffer.requires_grad
    assert isinstance(buffer, nn.Buffer)


def test_folded_models_too():
    model = nn.fold(minivit.create("resnet", "cifar").eval())
    images = np.random.default_rng(0).standard_normal((2, 32, 32, 3), np.float32)
    assert mean_output(COPIES["pickle"](model), images) == mean_output(model, images)


def test_a_shared_parameter_stays_shared():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    for way in ("deepcopy", "pickle"):
        twin = COPIES[way](nn.Sequential(first, second))
        assert twin[0].weight is twin[1].weight
        assert twin[0].weight is not first.weight


def test_another_process_computes_the_same():
    model, images = minivit.create("vit", "cifar").eval(), np.ones((1, 32, 32, 3), np.float32)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(mean_output, (model, images)) == pytest.approx(mean_output(model, images), rel=1e-5)
