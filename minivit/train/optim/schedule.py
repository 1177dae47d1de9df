"""Learning rates as functions of the step, so that a resumed run needs no state for them."""

import math
import operator


def warmup_cosine(step: int, *, steps: int, peak: float, warmup: int, final: float = 0.0) -> float:
    """A line up to `peak` during the first `warmup` steps, then half a cosine down to `final` at the last.

    (Goyal et al., arXiv:1706.02677, section 2.2; Loshchilov and Hutter, arXiv:1608.03983, eq. 5)

    Parameters
    ----------
    step : int
        0 for the first step, which already learns: its rate is peak / (warmup + 1).
    steps, warmup : int
        Steps in all, and those of the warm-up among them.
    peak, final : float
    """
    if operator.index(warmup) < 0 or operator.index(steps) < 1:
        raise ValueError("warmup_cosine: expected steps of 1 or more and warmup of 0 or more, got "
                         f"{steps} and {warmup}")
    if not (0 <= peak < math.inf and 0 <= final < math.inf):
        raise ValueError(f"warmup_cosine: expected a peak and a final rate of 0 or more, got {peak} and {final}")
    if not 0 <= step < steps:
        raise ValueError(f"step: expected 0 to {steps - 1}, got {step}")
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
