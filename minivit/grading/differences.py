"""Values against values: shapes first, then entries, and what a teacher would say about the difference."""

import math
from dataclasses import dataclass

import numpy as np

from .seal import opens

NONE = ": None came; is a return missing, or is the result printed instead?"
LARGEST = 1_000_000  # entries of one shown value


@dataclass
class Difference:
    """What is wrong with one value: `said` in full, and `outline` without any hidden number."""

    said: str
    outline: str


def compare(shown, expected, rtol, atol):
    """The Differences between the values shown by an answer and those expected of it; an empty list is success.

    |shown - expected| <= atol + rtol max|expected|, entry by entry.
    """
    differences = []
    for name, numbers in expected.items():
        if name not in shown:
            differences.append(Difference(f"{name}: no value came", f"{name}: no value came"))
            continue
        try:
            actual = array(shown[name])
        except (TypeError, ValueError, KeyError, OverflowError):
            differences.append(Difference(f"{name}: not an array of numbers", f"{name}: not an array of numbers"))
            continue
        if "sealed" in numbers:
            difference = _sealed(name, actual, numbers)
        else:
            difference = _difference(name, actual, array(numbers), rtol, atol)
        if difference:
            differences.append(difference)
    return differences


def array(numbers):
    """The array of {"shape", "data"}; anything else that came out of a sandbox is a ValueError or TypeError."""
    shape, data = numbers["shape"], numbers["data"]
    if not (isinstance(shape, list) and isinstance(data, list) and len(data) <= LARGEST
            and all(isinstance(n, int) and 0 <= n <= LARGEST for n in shape) and len(shape) <= 16
            and len(data) == math.prod(shape)):
        raise ValueError("shape and data do not fit")
    if all(isinstance(x, (int, float)) or x in ("nan", "inf", "-inf") for x in data):
        return np.array([float(x) for x in data], dtype=np.float64).reshape(shape)
    if not all(isinstance(x, str) for x in data):
        raise TypeError("data holds neither numbers nor texts")
    return np.array(data, dtype=object).reshape(shape)


def _sealed(name, actual, about):
    """The Difference from a value of which nothing is known but its shape and a digest of each entry."""
    if list(actual.shape) != about["shape"]:
        text = f"{name}: shape {actual.shape}, expected {tuple(about['shape'])}"
    elif all(opens(value, about, i) for i, value in enumerate(actual.ravel().tolist())):
        return None
    else:
        text = f"{name}: {_brief(actual)} is not it"
    return Difference(text, text)


def _difference(name, actual, expected, rtol, atol):
    if actual.dtype == object and not actual.ndim and expected.ndim and actual.tolist() != "None":
        return Difference(f"{name}: {_brief(actual)} came, expected an array of the shape {expected.shape}",
                          f"{name}: no array of the shape {expected.shape}")
    if actual.shape != expected.shape and actual.tolist() != "None":
        text = f"{name}: shape {actual.shape}, expected {expected.shape}{_about_shapes(actual.shape, expected.shape)}"
        return Difference(text, text)
    if object in (actual.dtype, expected.dtype):
        if actual.tolist() == expected.tolist():
            return None
        if expected.dtype != object:
            text = f"{name}: {_brief(actual)} is no number" + (NONE if "None" in actual.ravel().tolist() else "")
            return Difference(text, f"{name}: no number" + (NONE if "None" in actual.ravel().tolist() else ""))
        return Difference(f"{name}: {_brief(actual)} instead of {_brief(expected)}", f"{name}: another text")
    agree = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    odd = ~np.isfinite(actual) & ~agree
    if odd.any():
        text = f"{name}: {actual[odd][0]} at {_where(odd)}"
        return Difference(text, text)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        error = np.where(agree, 0.0, np.nan_to_num(np.abs(actual - expected), nan=np.inf, posinf=np.inf))
    wrong = error > atol + rtol * scale
    if not wrong.any():
        return None
    place = np.unravel_index(error.argmax(), error.shape)
    pattern = _pattern(actual, expected, atol + rtol * scale)
    at = f" at [{', '.join(map(str, place))}]" if error.ndim else ""
    said = f"{name}: largest difference {error.max():.4g}{at}: {actual[place]:.6g} instead of {expected[place]:.6g}"
    count = f" in {wrong.sum()} of {wrong.size} entries, most{at}" if error.ndim else ""
    return Difference(said + pattern, f"{name}: differs{count}" + pattern)


def _about_shapes(actual, expected):
    if len(actual) == len(expected) and sorted(actual) == sorted(expected):
        return ": the axes of the transpose" if len(actual) == 2 else ": the axes in another order"
    if [n for n in actual if n != 1] == [n for n in expected if n != 1]:
        return ": an axis of length 1 too many" if len(actual) > len(expected) else ": an axis of length 1 is missing"
    if math.prod(actual) == math.prod(expected):
        return ": as many entries, arranged in another way"
    return ""


def _pattern(actual, expected, tolerance):
    """The simple mistake that explains the whole difference, if there is one."""
    if np.allclose(actual, -expected, rtol=0, atol=tolerance):
        return "; the sign is the other way round"
    if not np.isfinite(expected).all():
        return ""
    if actual.ndim == 2 and actual.shape == actual.T.shape and np.allclose(actual, expected.T, rtol=0, atol=tolerance):
        return "; it is the transpose"
    power = (expected ** 2).sum()
    factor = (actual * expected).sum() / power if power else 0.0
    if actual.size > 1 and factor and np.allclose(actual, factor * expected, rtol=0, atol=tolerance):
        return "; every entry is off by the same factor"
    if actual.size > 2 and np.allclose(np.sort(actual, None), np.sort(expected, None), rtol=0, atol=tolerance):
        return "; the right values in the wrong places"
    return ""


def _where(mask):
    return f"[{', '.join(map(str, np.argwhere(mask)[0].tolist()))}]"


def _brief(texts):
    """The first entries, as they would be typed: a whole number without a point, a text in quotes."""
    first = texts.ravel()[:3].tolist()
    if all(isinstance(x, float) for x in first):
        return ", ".join(f"{x:.10g}" for x in first)
    return repr(", ".join(map(str, first))[:60])
