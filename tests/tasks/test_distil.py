"""Soft and hard distillation against their equations, computed by PyTorch."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, no_grad
from minivit.tasks.distil import hard_distillation, soft_distillation

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@pytest.fixture
def logits(rng):
    """Of the class head, of the distillation head, and of the teacher."""
    return 3 * rng.standard_normal((3, 6, 10))


def soft(z, z_distilled, z_teacher, y, temperature=3.0, weight=0.1):
    softened = [functional.log_softmax(z / temperature, dim=1) for z in (z_distilled, z_teacher)]
    divergence = functional.kl_div(*softened, log_target=True, reduction="batchmean")
    return (1 - weight) * functional.cross_entropy(z, y) + weight * temperature ** 2 * divergence


def hard(z, z_distilled, z_teacher, y):
    return (functional.cross_entropy(z, y) + functional.cross_entropy(z_distilled, z_teacher.argmax(1))) / 2


@pytest.mark.parametrize("ours, theirs, settings", [
    (soft_distillation, soft, {}), (soft_distillation, soft, {"temperature": 1.0, "weight": 0.5}),
    (hard_distillation, hard, {})])
def test_equations_and_gradients(ours, theirs, settings, logits, rng):
    labels = rng.integers(0, 10, 6)
    students = [Tensor(z, requires_grad=True) for z in logits[:2]]
    expected_students = [torch.tensor(z, requires_grad=True) for z in logits[:2]]
    loss = ours(*students, Tensor(logits[2]), labels, **settings)
    expected = theirs(*expected_students, torch.tensor(logits[2]), torch.tensor(labels), **settings)
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for student, reference in zip(students, expected_students, strict=True):
        np.testing.assert_allclose(student.grad, reference.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_a_student_that_agrees_with_its_teacher_has_nothing_to_learn_from_it(logits, rng):
    z = Tensor(logits[0], requires_grad=True)
    soft_distillation(logits[1], z, logits[0], rng.integers(0, 10, 6)).backward()
    assert np.abs(z.grad).max() < 1e-15


def test_a_cnn_teaches_a_deit(rng):
    images, labels = rng.standard_normal((2, 32, 32, 3), np.float32), rng.integers(0, 10, 2)
    teacher, student = minivit.create("resnet", "cifar20").eval(), minivit.create("deit")
    with no_grad():
        answers = teacher(images)
    hard_distillation(*student(images), answers, labels).backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_logits_of_other_classes_are_refused(logits, rng):
    with pytest.raises(ValueError, match=r"\(6, 10\) and \(6, 9\)"):
        soft_distillation(logits[0], logits[1], logits[2, :, :9], rng.integers(0, 10, 6))
