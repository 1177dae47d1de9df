"""Neighbourhood attention in plain PyTorch, for comparison, straight from its definition: a key for each neighbour.

`install` makes transformers' DiNAT run with it. That model calls the package natten, in versions before 0.20, for GPUs;
and hands over (B, W, H, h, d) where natten takes (B, h, H, W, d), which is put right here. `natten` stands in for the
package where the authors' code imports it.
"""

from types import ModuleType

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


def natten(torch):
    """A module with natten's layer of neighbourhood attention, as version 0.14 has it."""
    class NeighborhoodAttention2D(torch.nn.Module):
        def __init__(self, dim, kernel_size, num_heads, dilation=None, bias=True, qkv_bias=True, **dropout):
            super().__init__()
            self.least, self.dilation = kernel_size * (dilation or 1), dilation or 1
            self.qkv, self.proj = torch.nn.Linear(dim, 3 * dim, bias=qkv_bias), torch.nn.Linear(dim, dim)
            self.rpb = torch.nn.Parameter(torch.zeros(num_heads, 2 * kernel_size - 1, 2 * kernel_size - 1))

        def forward(self, x):
            (H, W), heads = x.shape[1:3], len(self.rpb)
            x = torch.nn.functional.pad(x, (0, 0, 0, max(self.least - W, 0), 0, max(self.least - H, 0)))
            q, k, v = self.qkv(x).unflatten(-1, (3, heads, -1)).permute(3, 0, 4, 1, 2, 5)      # 3 (B, h, H', W', d)
            x = neighbourhood_attention(torch, q, k, v, self.rpb, self.dilation)[:, :, :H, :W]
            return self.proj(x.permute(0, 2, 3, 1, 4).flatten(-2))                              # (B, H, W, C)

    module = ModuleType("natten")
    module.NeighborhoodAttention2D = NeighborhoodAttention2D
    return module
