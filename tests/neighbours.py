"""Neighbourhood attention in plain PyTorch, for comparison, straight from its definition: a key for each neighbour.

`install` makes transformers' DiNAT run with it. That model calls the package natten, in versions before 0.20, for GPUs;
and hands over (B, W, H, h, d) where natten takes (B, h, H, W, d), which is put right here.
"""

import numpy as np


def neighbours(n, kernel, dilation):
    """The places that each place of an axis looks at.    -> (n, K) int"""
    found = []
    for place in range(n):
        members = list(range(place % dilation, n, dilation))
        own = members.index(place)
        start = min(max(own - kernel // 2, 0), len(members) - kernel)
        found.append(members[start:start + kernel])
    return np.array(found)


def scores(torch, q, k, bias, kernel, dilation):
    """q k^T + bias of each place's neighbours, row by row.    2 (B, h, H, W, d) -> (B, h, H, W, K K)"""
    rows, columns = (neighbours(n, kernel, dilation) for n in q.shape[2:4])
    dy, dx = ((places - np.arange(len(places))[:, None]) // dilation + kernel - 1 for places in (rows, columns))
    bias = bias[:, torch.tensor(dy)[:, None, :, None], torch.tensor(dx)[None, :, None]]     # (h, H, W, K, K)
    return (torch.einsum("bhyxd,bhyixjd->bhyxij", q, k[:, :, rows][..., columns, :]) + bias).flatten(-2)


def mixed(torch, weights, v, kernel, dilation):
    """The neighbours' values, weighted.    (B, h, H, W, K K), (B, h, H, W, d) -> (B, h, H, W, d)"""
    rows, columns = (neighbours(n, kernel, dilation) for n in v.shape[2:4])
    return torch.einsum("bhyxij,bhyixjd->bhyxd", weights.unflatten(-1, (kernel, kernel)),
                        v[:, :, rows][..., columns, :])


def neighbourhood_attention(torch, q, k, v, bias, dilation):
    """softmax(q k^T / sqrt(d) + bias) v over the neighbours of each place."""
    kernel = (bias.shape[-1] + 1) // 2
    weights = torch.softmax(scores(torch, q / q.shape[-1] ** 0.5, k, bias, kernel, dilation), -1)
    return mixed(torch, weights, v, kernel, dilation)


def install(torch, module):
    """Let transformers.models.dinat.modeling_dinat use the functions above."""
    def heads_first(x):
        return x.permute(0, 3, 2, 1, 4)  # (B, W, H, h, d) -> (B, h, H, W, d)
    module.requires_backends = lambda *needed: None
    module.natten2dqkrpb = lambda q, k, bias, kernel, dilation: scores(
        torch, heads_first(q), heads_first(k), bias, kernel, dilation)
    module.natten2dav = lambda weights, v, kernel, dilation: mixed(torch, weights, heads_first(v), kernel, dilation)
