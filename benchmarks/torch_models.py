"""The benchmarked models once more in PyTorch, as a good user of PyTorch writes them, with minivit's weights.

ViT: scaled_dot_product_attention, fused LayerNorm, exact GELU. ResNet: Conv2d in NCHW, or channels-last by `.to`.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_dim):
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.proj = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.norm2, self.linear1, self.linear2 = (
            nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, mlp_dim), nn.Linear(mlp_dim, dim))

    def forward(self, x):
        B, N, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(B, N, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, D))
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class ViTGAP(nn.Module):
    def __init__(self, image_size, patch_size, dim, depth, heads, mlp_dim, num_classes):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch_size, stride=patch_size)
        self.positions = nn.Parameter(torch.zeros(1, (image_size // patch_size) ** 2, dim))
        self.blocks = nn.Sequential(*[Block(dim, heads, mlp_dim) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, num_classes)

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))


class BasicBlock(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential() if stride == 1 and inputs == channels else nn.Sequential(
            nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet18CIFAR(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
                  (512, 512, 1)]
        self.blocks = nn.Sequential(*[BasicBlock(*sizes) for sizes in widths])
        self.head = nn.Linear(512, num_classes)

    def forward(self, images):
        x = self.blocks(F.relu(self.norm(self.stem(images)), inplace=True))
        return self.head(x.mean((2, 3)))


def copy_weights(ours, theirs):
    """Give a PyTorch model the weights of a minivit model; both list them in the order of their attributes."""
    with torch.no_grad():
        for value, target in zip(ours.parameters(), theirs.parameters(), strict=True):
            value = torch.from_numpy(value.numpy().copy())
            if target.ndim == 4:
                value = value.reshape(*target.shape[2:], target.shape[1], -1)  # patches: (P P C, D) -> (P, P, C, D)
                value = value.permute(3, 2, 0, 1)                              # (kh, kw, in, out) -> (out, in, kh, kw)
            elif target.ndim == 2:
                value = value.T                                                # (in, out) -> (out, in)
            target.copy_(value)
