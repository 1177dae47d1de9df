"""The windows of padded pictures, written down one after the other."""

from .compiler import rounded_once


def write_windows(padded, rows, *, windows):
    """rows[b, h, w, i, j] = padded[b, s h + d i, s w + d j]    (B, ..., ..., C) into (B, H', W', kh, kw, C)"""
    _write_windows(padded, rows, *windows.stride, *windows.dilation)


@rounded_once
def _write_windows(padded, rows, down, across, deep, wide):
    B, H, W, kh, kw, C = rows.shape
    for b in range(B):
        for h in range(H):
            for w in range(W):
                for i in range(kh):
                    for j in range(kw):
                        for c in range(C):
                            rows[b, h, w, i, j, c] = padded[b, down * h + deep * i, across * w + wide * j, c]
