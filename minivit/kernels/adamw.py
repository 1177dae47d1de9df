"""What the fast forms of AdamW share: the numbers of a step."""

import math


def factors(*, lr, steps, betas, eps, weight_decay):
    """What the kernels multiply by, in their order: keep, rate, root_correction, rest1, beta2, rest2, eps.

    m += rest1 (g - m),  v = beta2 v + rest2 g^2,  w = keep w - rate m / (sqrt(v) / root_correction + eps)
    """
    beta1, beta2 = betas
    return (1.0 - lr * weight_decay, lr / (1 - beta1 ** steps), math.sqrt(1 - beta2 ** steps), 1.0 - beta1,
            float(beta2), 1.0 - beta2, float(eps))
