"""Attention to neighbours: each place of a grid looks at the K x K places nearest to it.

Hassani et al., CVPR 2023, arXiv:2204.07143, section 3.1; with places D apart: arXiv:2209.15001, section 3. At the
border the window does not reach beyond the grid, as that of a convolution, but moves inwards: it always has K x K
places. With a dilation D the grid falls into D x D grids of every D-th row and column, each of which is for itself.

A key for each query and neighbour would be K x K copies of all keys. Here the queries of a row share the K rows that
all of them look at, copied K times, and a bias of -inf hides the columns that a query does not look at. Large products
of matrices with W / K times the multiply-adds are quicker than many small ones.
"""

from ..backend import array_module
from ..engine import primitive
from .attention import attention
from .checks import of_floats, whole

attend = attention.__wrapped__  # on arrays: the value and its pullback


@primitive
@of_floats("q", "k", "v", "bias")
def neighbourhood_attention(q, k, v, bias, *, dilation=1):
    """softmax(q k^T / sqrt(d) + bias) v over the neighbours of each place.    -> (B, h, H, W, e)

    Parameters
    ----------
    q, k, v : queries (B, h, H, W, d), keys (B, h, H, W, d) and values (B, h, H, W, e) of h heads
    bias : (h, 2 K - 1, 2 K - 1)
        What is added to the scores, by the way from the query to the key, in steps of the dilation: down and to the
        right of its middle, which belongs to the query's own place. K is odd.
    dilation : int
        D, the step from a neighbour to the next.

    Raises
    ------
    ValueError
        For a grid with less than K D rows or columns.
    """
    if not (q.ndim == 5 and q.shape == k.shape and q.shape[:-1] == v.shape[:-1]):
        raise ValueError("neighbourhood_attention: expected queries and keys (B, h, H, W, d) and values (B, h, H, W, e)"
                         f", got {q.shape}, {k.shape} and {v.shape}")
    (B, h, H, W, d), K = q.shape, (bias.shape[-1] + 1) // 2 if bias.ndim == 3 else 0
    if bias.shape != (h, 2 * K - 1, 2 * K - 1) or K % 2 == 0:
        raise ValueError(f"neighbourhood_attention: expected a bias ({h}, 2 K - 1, 2 K - 1) with an odd K for {h} heads"
                         f", got {bias.shape}")
    D = whole("neighbourhood_attention", "dilation", dilation)
    if min(H, W) < K * D:
        raise ValueError(f"neighbourhood_attention: windows of {K} x {K} places, {D} apart, need a grid of {K * D} x "
                         f"{K * D}, got {H} x {W}")
    rows, columns = neighbourhoods(H, K, D), neighbourhoods(W, K, D)
    out, pullback = attend(q.reshape(B, h * H, W, d), _beside(k, rows), _beside(v, rows), _spread(bias, rows, columns))

    def backward(dout):
        dq, dk, dv, dbias = pullback(dout.reshape(out.shape))
        return (dq.reshape(q.shape), _together(dk, rows, k.shape), _together(dv, rows, v.shape),
                _gathered(dbias, rows, columns, bias.shape))
    return out.reshape(v.shape), backward


def neighbourhoods(n, kernel, dilation=1):
    """Of each place on an axis of n: which K places it looks at, and which of the 2 K - 1 steps of the bias lead there.

    -> [(slice, slice), ...]
    """
    found = []
    for place in range(n):
        first, own = place % dilation, place // dilation       # of the places that see each other; its own among them
        members = range(first, n, dilation)
        start = min(max(own - kernel // 2, 0), len(members) - kernel)
        seen, step = members[start:start + kernel], start - own + kernel - 1
        found.append((slice(seen[0], seen[-1] + 1, dilation), slice(step, step + kernel)))
    return found


def _beside(x, rows):
    """For the queries of each row, the K rows that they look at.    (B, h, H, W, d) -> (B, h H, K W, d)"""
    x = array_module(x).stack([x[:, :, seen] for seen, _ in rows], axis=2)      # (B, h, H, K, W, d)
    B, h, H, K, W, d = x.shape
    return x.reshape(B, h * H, K * W, d)


def _together(dx, rows, shape):
    """The adjoint of `_beside`.    (B, h H, K W, d) -> (B, h, H, W, d)"""
    (B, h, H, W, d), K = shape, dx.shape[2] // shape[3]
    dx, total = dx.reshape(B, h, H, K, W, d), array_module(dx).zeros(shape, dtype=dx.dtype)
    for row, (seen, _) in enumerate(rows):
        total[:, :, seen] += dx[:, :, row]
    return total


def _spread(bias, rows, columns):
    """The bias of each query of a row for each place of the K rows.    (h, 2 K - 1, 2 K - 1) -> (h H, W, K W)"""
    xp, h, K, H, W = array_module(bias), len(bias), (bias.shape[-1] + 1) // 2, len(rows), len(columns)
    spread = xp.full((h, 2 * K - 1, W, W), -xp.inf, dtype=bias.dtype)
    for column, (seen, steps) in enumerate(columns):
        spread[:, :, column, seen] = bias[:, :, steps]
    spread = xp.stack([spread[:, steps] for _, steps in rows], axis=1)              # (h, H, K, W, W)
    return spread.transpose(0, 1, 3, 2, 4).reshape(h * H, W, K * W)                 # (h H, W, K W)


def _gathered(dspread, rows, columns, shape):
    """The adjoint of `_spread`.    (h H, W, K W) -> (h, 2 K - 1, 2 K - 1)"""
    xp, (h, sides, _), H, W = array_module(dspread), shape, len(rows), len(columns)
    by_column, total = (xp.zeros(size, dtype=dspread.dtype) for size in ((h, sides, W, W), shape))
    dspread = dspread.reshape(h, H, W, (sides + 1) // 2, W).transpose(0, 1, 3, 2, 4)    # (h, H, K, W, W)
    for row, (_, steps) in enumerate(rows):
        by_column[:, steps] += dspread[:, row]
    for column, (seen, steps) in enumerate(columns):
        total[:, :, steps] += by_column[:, :, column, seen]
    return total
