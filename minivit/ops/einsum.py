"""Einstein's summation: axes are named by letters, and letters that are missing on the right are summed over.

    einsum("bid, bjd -> bij", q, k)[b, i, j] = sum_d q[b, i, d] k[b, j, d]

Operands are contracted two at a time, each pair by one batched matrix product. The gradient of an operand is an einsum
again, of dz and the other operands, with the operand's own letters on the right:

    dq = einsum("bij, bjd -> bid", dz, k)
"""

import functools
import math
import string

import numpy as np

from ..backend import array_module
from ..engine import primitive
from .operands import as_arrays, in_64_bits
from .products import multiply


@primitive
def einsum(subscripts, *operands):
    """The sum of products that the subscripts describe, in NumPy's notation; "..." stands for axes that broadcast.

    einsum("... i d, ... j d -> ... i j", x, y):    (..., n, d), (..., m, d) -> (..., n, m)
    """
    operands = in_64_bits(*as_arrays(*operands), counted="iub")
    if any(x.dtype.char != "e" for x in operands):
        return _einsum(subscripts, *operands)
    z, backward = _einsum(subscripts, *(x.astype(np.float32) for x in operands))  # sums of float16 would stand still

    def backward_of_half(dz):
        _, *gradients = backward(dz.astype(np.float32))
        return None, *(lambda gradient=gradient: gradient().astype(np.float16) for gradient in gradients)
    return z.astype(np.float16), backward_of_half


def _einsum(subscripts, *operands):
    xp = array_module(*operands)
    terms, result = _parse(subscripts, operands)
    lengths = _lengths(subscripts, terms, operands)
    shapes = [x.shape for x in operands]
    # An axis of length 1 that broadcasts is the same as no axis, and that is simpler.
    kept = [[letter for letter, n in zip(term, x.shape, strict=True) if n == lengths[letter]]
            for term, x in zip(terms, operands, strict=True)]
    operands = [x.reshape([lengths[letter] for letter in term]) for term, x in zip(kept, operands, strict=True)]
    terms = ["".join(term) for term in kept]

    def gradient(i, dz):
        others = [j for j in range(len(operands)) if j != i]
        letters, given = [result, *(terms[j] for j in others)], [dz, *(operands[j] for j in others)]
        unused, target = (a for a in string.ascii_letters if a not in "".join([result, *terms])), ""
        for letter in terms[i]:
            if letter in target:  # the operand's diagonal was taken: the gradient lies on the diagonal
                target += next(unused)
                letters.append(letter + target[-1])
                given.append(xp.eye(lengths[letter], dtype=dz.dtype))
            else:
                target += letter
                if letter not in "".join(letters):  # summed over at once: every element gets the same gradient
                    letters.append(letter)
                    given.append(xp.ones(lengths[letter], dtype=dz.dtype))
        return _contract(letters, target, given).reshape(shapes[i])

    def backward(dz):
        return None, *(functools.partial(gradient, i, dz) for i in range(len(operands)))
    return _contract(terms, result, operands), backward


def _contract(terms, result, operands):
    """Multiply the operands from left to right, and sum over each letter as soon as nobody needs it."""
    (term, *terms), (x, *operands) = terms, operands
    while terms:
        term, x = _pair(term, x, terms[0], operands[0], needed="".join([result, *terms[1:]]))
        terms, operands = terms[1:], operands[1:]
    return array_module(x).einsum(f"{term}->{result}", x)


def _pair(x_term, x, y_term, y, needed):
    """Two operands to one, as the products of matrices (left, inner) @ (inner, right), one for each batch letter."""
    x_term, x = _sum_out(x_term, x, y_term + needed)
    y_term, y = _sum_out(y_term, y, x_term + needed)
    batch = "".join(letter for letter in x_term if letter in y_term and letter in needed)
    inner = "".join(letter for letter in x_term if letter in y_term and letter not in needed)
    left = "".join(letter for letter in x_term if letter not in y_term)
    right = "".join(letter for letter in y_term if letter not in x_term)
    length = dict(zip(x_term + y_term, x.shape + y.shape, strict=True))
    sizes = {letters: [length[letter] for letter in letters] for letters in (batch, inner, left, right)}
    rows, columns, summed = (math.prod(sizes[letters]) for letters in (left, right, inner))
    x = x.transpose([x_term.index(letter) for letter in batch + left + inner])
    y = y.transpose([y_term.index(letter) for letter in batch + inner + right])
    x = x.reshape(*sizes[batch], rows, summed)  # (batch, left, inner)
    y = y.reshape(*sizes[batch], summed, columns)  # (batch, inner, right)
    z = multiply(x, y) if inner else x * y
    return batch + left + right, z.reshape(sizes[batch] + sizes[left] + sizes[right])  # (batch, left, right)


def _sum_out(term, x, needed):
    """Take the diagonal of letters that occur twice, and sum over those that nobody else needs."""
    kept = "".join(dict.fromkeys(letter for letter in term if letter in needed))
    return kept, x if kept == term else array_module(x).einsum(f"{term}->{kept}", x)


def _parse(subscripts, operands):
    """The letters of each operand and of the result, with letters in the place of "..."."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(operands)}")
    if not arrow:  # NumPy's rule: the letters that occur once, in alphabetical order
        result = "..." * ("..." in left) + "".join(sorted(a for a in set(left) - set(".,") if left.count(a) == 1))
    unused = "".join(letter for letter in string.ascii_letters if letter not in subscripts)
    expanded, longest = [], 0
    for term, x in zip(terms, operands, strict=True):
        extra = x.ndim - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ValueError(f"einsum: {term!r} in {subscripts!r} does not name the axes of shape {x.shape}")
        longest = max(longest, extra)
        expanded.append(term.replace("...", unused[:extra][::-1]))  # reversed: the last axes are aligned
    if longest and arrow and "..." not in result:
        raise ValueError(f"einsum: {subscripts!r} needs '...' on the right")
    result = result.replace("...", unused[:longest][::-1])
    if not set(result) <= set("".join(expanded)) or len(set(result)) < len(result):
        raise ValueError(f"einsum: each letter on the right of {subscripts!r} must occur there once, and on the left")
    return expanded, result


def _lengths(subscripts, terms, operands):
    """The length of the axis that each letter stands for."""
    lengths = {}
    for term, x in zip(terms, operands, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            if n != lengths.setdefault(letter, n) and 1 not in (n, lengths[letter]):
                shapes = ", ".join(str(x.shape) for x in operands)
                raise ValueError(f"einsum: {letter!r} in {subscripts!r} is both {lengths[letter]} and {n}, in {shapes}")
            lengths[letter] = max(n, lengths[letter])
    return lengths
