"""Values that can be compared, but not read: what `check` knows of an answer that is a number or a choice.

Where an answer is a function, the right values for the inputs of one seed give nothing away. Where it is the value
itself, a file with the value would be the solution. Numbers are rounded to steps, which the question states, and each
entry becomes a digest. It protects from reading, not from trying: so many guesses, so many checks.
"""

import hashlib
import math

SLACK = 1e-9  # of a step: 0.145 / 0.01 is a little less than 14.5


def sealed(numbers, step, where):
    """{"shape", "step", "sealed": digests} of {"shape", "data"}; ValueError where a number is no multiple of the step.

    where: what tells this value from others, so that equal values have other digests.
    """
    return {"shape": numbers["shape"], "step": step, "where": where,
            "sealed": [digest(_steps(value, step, where), where, i) for i, value in enumerate(numbers["data"])]}


def opens(value, about, i):
    """Whether a value is what was sealed as entry i; a number, whether it rounds to it, up or down from the middle."""
    if isinstance(value, str):
        guesses = {value}
    elif math.isfinite(value):
        steps = value / about["step"]
        guesses = {math.floor(steps + 0.5 + SLACK), math.ceil(steps - 0.5 - SLACK)}
    else:
        return False
    return any(digest(guess, about["where"], i) == about["sealed"][i] for guess in guesses)


def digest(value, where, i):
    """What stands for a text or a whole number of steps."""
    return hashlib.sha256(f"{where}/{i}/{value}".encode()).hexdigest()[:24]


def _steps(value, step, where):
    if isinstance(value, str):
        return value
    steps = round(value / step)
    if abs(steps * step - value) > 1e-6 * step:
        raise ValueError(f"{where}: {value} is no multiple of the step {step}: round it in the reference")
    return steps
