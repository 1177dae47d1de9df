"""k-NN and the linear probe, by what must hold at the minimum and on vectors whose answer is known."""

import numpy as np
import pytest

from minivit import create, data
from minivit.data.features import nearest_class
from minivit.models import picture_vectors
from minivit.train import Threads, probe, random_twin
from minivit.train.probes import LinearProbe, vectors_of
from tests.tasks.tiny_tasks import tiny_vit


@pytest.fixture
def clouds(rng):
    """300 vectors of four classes that overlap, numbers of very different sizes, and one number that never changes."""
    labels = rng.integers(4, size=300)
    vectors = rng.standard_normal((4, 6))[labels] + 0.8 * rng.standard_normal((300, 6))
    return np.concatenate([vectors * 10.0 ** np.arange(-3, 3) + 5, np.ones((300, 1))], axis=1), labels


@pytest.mark.parametrize("penalty", [1e-3, 0.1])
def test_at_the_minimum_the_gradient_is_zero(clouds, penalty):
    """(1/N) X^T (P - Y) + penalty W = 0, and the same sum over the pictures alone for the offsets."""
    vectors, labels = clouds
    fitted = LinearProbe(penalty=penalty).fit(vectors, labels)
    deviation = vectors.std(axis=0)
    x = (vectors - vectors.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    logits = x @ fitted.weight + fitted.bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = probabilities - np.eye(4)[labels]
    np.testing.assert_allclose(x.T @ error / len(x) + penalty * fitted.weight, 0, atol=2e-6)
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=2e-6)
    assert np.abs(fitted.weight[:-1]).max() > 0.1
    assert (fitted.weight[-1] == 0).all()
    np.testing.assert_array_equal(fitted.predict(vectors), probabilities.argmax(axis=1))


def test_it_is_the_minimum_that_pytorch_finds(clouds):
    torch = pytest.importorskip("torch")
    vectors, labels = clouds
    fitted = LinearProbe(penalty=0.01).fit(vectors, labels)
    x, y = torch.tensor(fitted.standardised(vectors)), torch.tensor(labels)
    weight, bias = (torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in ((7, 4), (1, 4)))
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weight + bias, y) + 0.005 * (weight ** 2).sum()
        loss.backward()
        return loss
    optimiser.step(closure)
    np.testing.assert_allclose(fitted.weight, weight.detach().numpy(), atol=1e-4)


def test_the_gradient_of_the_objective(clouds, rng):
    vectors, labels = clouds
    fitted = LinearProbe(penalty=0.3).fit(vectors, labels)
    x, flat, direction = fitted.standardised(vectors), *rng.standard_normal((2, 8 * 4))
    ahead, behind = (fitted.objective(flat + h * direction, x, labels)[0] for h in (1e-5, -1e-5))
    assert fitted.objective(flat, x, labels)[1] @ direction == pytest.approx((ahead - behind) / 2e-5, rel=1e-7)


def test_vectors_are_what_the_head_reads_whatever_the_number_of_threads(sets):
    model, samples = tiny_vit(10).initialise(3).train(), data.Samples(sets[0].subset(slice(60)), mean=0.5, std=0.5)
    found = []
    for count in (1, 2):
        with Threads(count) as threads:
            found.append(vectors_of(model, samples, threads, progress=False))
    np.testing.assert_array_equal(*found)
    assert model.training
    vectors = model.pool(model.encode(model.embed(samples.view(np.arange(60))))).numpy()
    np.testing.assert_allclose(found[0], vectors, rtol=1e-5, atol=1e-6)
    logits = vectors @ model.head.weight.numpy() + model.head.bias.numpy()
    np.testing.assert_allclose(model(samples.view(np.arange(60))).numpy(), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "deit", "resnet", "swin", "cait", "nat"])
def test_every_head_reads_one_vector_a_picture(name):
    model = create(name, "cifar" if name != "resnet" else "cifar20").eval()
    images = np.zeros((2, 32, 32, 3), np.float32)
    assert picture_vectors(model, images).shape == (2, model.head.weight.shape[0])


def test_probes_of_a_model(sets):
    model = tiny_vit(0).initialise(1)
    train, test = (data.Samples(each, mean=0.5, std=0.5) for each in sets)
    with Threads(2) as threads:
        found = {kind: [probe(model, train, test, threads, kind=kind, progress=False) for _ in range(2)]
                 for kind in ("knn", "linear")}
        known, queries = (vectors_of(model, samples, threads, progress=False) for samples in (train, test))
    assert all(first == again for first, again in found.values())
    right = nearest_class(queries, known, sets[0].labels) == sets[1].labels
    assert found["knn"][0] == right.mean()
    fitted = LinearProbe().fit(known, sets[0].labels)
    assert found["linear"][0] == (fitted.predict(queries) == sets[1].labels).mean()


def test_a_random_twin_has_the_same_form_and_learned_nothing():
    model = tiny_vit(10).initialise(5)
    for parameter in model.parameters():
        parameter.mutable()[...] = 7
    twin = random_twin(model, seed=5)
    for name, value in tiny_vit(10).initialise(5).state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[name], value)
    assert all((parameter.numpy() == 7).all() for parameter in model.parameters())


def test_wrong_settings(sets):
    unlabelled = data.Samples(data.Dataset(sets[0].images, name="mine"), mean=0.5, std=0.5)
    with Threads(1) as threads:
        with pytest.raises(ValueError, match="probe: mine has no labels"):
            probe(tiny_vit(), unlabelled, unlabelled, threads)
        with pytest.raises(ValueError, match="probe: 'liner' does not exist; did you mean 'linear'"):
            probe(tiny_vit(), unlabelled, unlabelled, threads, kind="liner")
    with pytest.raises(ValueError, match="LinearProbe: penalty: expected a number of at least 0, got -1"):
        LinearProbe(penalty=-1)
