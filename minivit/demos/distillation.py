"""Distillation: what a temperature makes of a teacher's logits.  Hinton et al., 2015, arXiv:1503.02531, section 2.

The labels are softmax(logits / T). With a student's answer softmax(z / T), the gradient of the divergence between the
two shrinks as 1 / T^2 for high T, and the loss is multiplied by T^2.
"""

import numpy as np

from ..ops import kl_divergence
from ..tensor import Tensor
from . import samples

TITLE = "A high temperature shows what a teacher holds for similar"
LOOK_FOR = "classes that rise from nothing as T grows: a student learns them too, although the label never names them."
QUESTION = "From which T on can you see the second choice? What would such labels teach without the factor T²?"
TEMPERATURES = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)


def data():
    """The teacher's logits for the pictures, and what a student who knows nothing yet would get as gradients."""
    logits = samples.logits(samples.pictures())                      # (8, 10)
    gradients = [[gradient_size(one, T) for T in TEMPERATURES] for one in logits]
    return {"pictures": samples.pictures(), "names": samples.NAMES, "classes": samples.classifier().classes,
            "logits": logits, "temperatures": TEMPERATURES, "gradients": np.array(gradients)}  # (8, temperatures)


def gradient_size(logits, temperature):
    """The length of the gradient of T^2 KL(teacher || student) for a student whose logits are all 0."""
    student = Tensor(np.zeros(logits.size), requires_grad=True)
    kl_divergence(student, Tensor(logits.astype(np.float64)), temperature=temperature).backward()
    return np.linalg.norm(student.grad)
