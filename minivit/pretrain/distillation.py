"""Losses that let a student learn from a teacher's answers.  Touvron et al., arXiv:2012.12877, section 4.

    teacher = resnet.eval()
    with no_grad():
        answers = teacher(images)
    loss = hard_distillation(*deit(images), answers, labels)   # a DeiT in training returns two logits

A student with one head, as any ViT, gives its logits twice.
"""

from ..ops import cross_entropy, kl_divergence


def soft_distillation(logits, distilled, teacher, labels, *, temperature=3.0, weight=0.1):
    """(1 - w) CE(logits, labels) + w T^2 KL(softmax(teacher / T) || softmax(distilled / T))  (equation 2).

    Parameters
    ----------
    logits, distilled, teacher : (B, K)
        Of the student's class head, of its distillation head, and of the teacher.
    labels : (B,) int or (B, K)
    temperature, weight : float
        T (the paper's tau), which softens both distributions, and w (its lambda).

    The KL divergence is summed over the classes, as in the equation; the authors' code also divides it by K.
    """
    return ((1 - weight) * cross_entropy(logits, labels)
            + weight * kl_divergence(distilled, teacher, temperature=temperature))


def hard_distillation(logits, distilled, teacher, labels):
    """1/2 CE(logits, labels) + 1/2 CE(distilled, y_t), with y_t the class that the teacher decides for (equation 3).

    The arguments are those of `soft_distillation`.
    """
    return (cross_entropy(logits, labels) + cross_entropy(distilled, teacher.argmax(-1))) / 2
