"""Non-local Neural Networks.  Wang et al., CVPR 2018, arXiv:1711.07971.

A convolution sees a few pixels around each place, and only many of them one behind the other see far. A non-local block
adds to each place what all places of the map say, weighted by how well the two go together. It begins as the identity,
so that it can be put into a network anywhere, also into one that is trained already; here it stands in a ResNet.

    B batch    H x W grid    C channels    c = C / 2    N = H W places    M places that are looked at, N / 4 if pooled
    y_i = sum_j f(x_i, x_j) g(x_j) / sum_j f(x_i, x_j)      (eq. 1)      z_i = BatchNorm(W_z y_i) + x_i      (eq. 6)
    (B, H, W, C) -> theta (B, N, c), phi (B, M, c), g (B, M, c) -> y (B, N, c) -> (B, H, W, C)
    50-5: (B, 224, 224, 3) -> ResNet-50, with blocks on (B, 28, 28, 512) twice and on (B, 14, 14, 1024) three times
    cifar: (B, 32, 32, 3) -> (B, 32, 32, 16), (B, 16, 16, 32), (B, 8, 8, 64), (B, 4, 4, 128) -> (B, 128) -> (B, 10)

The four forms of f are four classes. With the embedded Gaussian the block is self-attention with one head.

Departures from the paper: pictures instead of videos, as in its section 6. As in the authors' code, places are pooled
before phi and g, where the paper draws it behind them, and the Gaussians have a scale, 1 / sqrt(c), or 1 / sqrt(C)
without an embedding. W_z has no bias, since the norm behind it has one.
"""

from functools import partial

from ..engine import no_grad
from ..nn import BatchNorm2d, Linear, LinearNorm, Module, Sequential, normal, zeros
from ..ops import attention, attention_weights, max_pool2d, relu
from .pvt import as_tokens
from .resnet import BasicBlock, Bottleneck, ResidualNetwork, ResNet, ResNetCIFAR


class NonLocal(Module):
    """x + BatchNorm(W_z y), with f(x_i, x_j) = exp(theta_i phi_j / sqrt(c)), the embedded Gaussian (eq. 3).

    (B, H, W, C) -> (B, H, W, C)

    Parameters
    ----------
    channels : int
        C.
    pool : int
        The largest of pool x pool neighbours stands for them among the places that are looked at; 1 keeps them all.
    """

    def __init__(self, channels, *, pool=2):
        self.pool, inner = pool, max(1, channels // 2)
        self.make_pairs(channels, inner)
        self.g = Linear(channels, inner, initialiser=normal(0.01))
        self.out = LinearNorm(inner, channels, norm=partial(BatchNorm2d, initialiser=zeros), initialiser=normal(0.01))

    def make_pairs(self, channels, inner):
        """What f has to learn."""
        self.theta, self.phi = (Linear(channels, inner, initialiser=normal(0.01)) for _ in range(2))

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        queries, places = self.places(x)                                    # (B, N, C), (B, M, C)
        return x + self.out(self.gather(queries, places)).reshape(x.shape)  # (B, H, W, C)

    def places(self, x):
        """All places, and those that they look at.    (B, H, W, C) -> (B, N, C), (B, M, C)"""
        size = min(self.pool, *x.shape[1:3])
        return as_tokens(x), as_tokens(max_pool2d(x, size) if size > 1 else x)

    def gather(self, queries, places):
        """y (eq. 1).    (B, N, C), (B, M, C) -> (B, N, c)"""
        q, k, v = self.theta(queries), self.phi(places), self.g(places)     # (B, N, c), 2 (B, M, c)
        return attention(q[:, None], k[:, None], v[:, None])[:, 0]

    def weights(self, x):
        """f(x_i, x_j) / sum_j f(x_i, x_j), for pictures.    (B, H, W, C) -> (B, 1, N, M)"""
        with no_grad():
            queries, places = self.places(x)
            return attention_weights(self.theta(queries)[:, None], self.phi(places)[:, None])


class Gaussian(NonLocal):
    """f(x_i, x_j) = exp(x_i x_j / sqrt(C)): nothing is learned of pairs (eq. 2).    (B, H, W, C) -> (B, H, W, C)"""

    def make_pairs(self, channels, inner):
        """Nothing."""

    def gather(self, queries, places):
        """(B, N, C), (B, M, C) -> (B, N, c)"""
        return attention(queries[:, None], places[:, None], self.g(places)[:, None])[:, 0]

    def weights(self, x):
        """(B, H, W, C) -> (B, 1, N, M)"""
        with no_grad():
            queries, places = self.places(x)
            return attention_weights(queries[:, None], places[:, None])


class DotProduct(NonLocal):
    """f(x_i, x_j) = theta_i phi_j, divided by the number of places instead of the sum (eq. 4).

    (B, H, W, C) -> (B, H, W, C)
    """

    def gather(self, queries, places):
        """(B, N, C), (B, M, C) -> (B, N, c)"""
        return self.scores(queries, places) @ self.g(places)

    def scores(self, queries, places):
        """f(x_i, x_j) / M.    (B, N, C), (B, M, C) -> (B, N, M)"""
        return self.theta(queries) @ self.phi(places).swapaxes(1, 2) / places.shape[1]      # (B, N, c) @ (B, c, M)

    def weights(self, x):
        """Of both signs, no probabilities.    (B, H, W, C) -> (B, 1, N, M)"""
        with no_grad():
            return self.scores(*self.places(x))[:, None]


class Concatenation(DotProduct):
    """f(x_i, x_j) = relu(w [theta_i, phi_j]), divided by the number of places (eq. 5).

    (B, H, W, C) -> (B, H, W, C). A product with a concatenation is a sum of two products: one number for each place.
    """

    def make_pairs(self, channels, inner):
        """theta, phi, and the two halves of w."""
        super().make_pairs(channels, inner)
        self.of_query, self.of_place = (Linear(inner, 1, bias=False) for _ in range(2))

    def scores(self, queries, places):
        """(B, N, C), (B, M, C) -> (B, N, M)"""
        a, b = self.of_query(self.theta(queries)), self.of_place(self.phi(places))          # (B, N, 1), (B, M, 1)
        return relu(a + b.swapaxes(1, 2)) / places.shape[1]                                 # (B, N, M)


class NonLocalNetwork(ResidualNetwork):
    """A ResNet with non-local blocks between its own.

    (B, height, width, C) -> (B, num_classes). The settings are those of the ResNet, and:

    Parameters
    ----------
    behind : dict
        {stage: the blocks of it behind which a non-local block stands}, both counted from 0.
    non_local : callable
        non_local(channels, pool=...) -> Module, one of the classes above.
    pool : int
        As for `NonLocal`.
    """

    def __init__(self, *args, behind, non_local=NonLocal, pool=2, **settings):
        super().__init__(*args, **settings)
        for stage, indices in behind.items():
            blocks = self.body.stages[stage].layers
            if not set(indices) <= set(range(len(blocks))):
                raise ValueError(f"behind: expected blocks 0 to {len(blocks) - 1} of stage {stage}, got {indices}")
            channels, layers = blocks[-1].norm1.weight.size * blocks[-1].expansion, []
            for index, block in enumerate(blocks):
                layers += [block, non_local(channels, pool=pool)] if index in indices else [block]
            self.body.stages[stage] = Sequential(*layers)


class NonLocalResNet(NonLocalNetwork, ResNet):
    """For ImageNet.    (B, height, width, C) -> (B, num_classes)"""


class NonLocalCIFAR(NonLocalNetwork, ResNetCIFAR):
    """For 32 x 32 pictures.    (B, height, width, C) -> (B, num_classes)"""


# sections 4 and 5.1. One block stands before the last of res4; five, behind every other block of res3 and res4 (in
# the 101-layer network every seventh of res4, as in the authors' code); ten, behind all of them
R50, R101 = (partial(NonLocalResNet, Bottleneck, depths) for depths in [(3, 4, 6, 3), (3, 4, 23, 3)])
VARIANTS = {
    "50-1": partial(R50, behind={2: (4,)}),
    "50-5": partial(R50, behind={1: (1, 3), 2: (1, 3, 5)}),
    "50-10": partial(R50, behind={1: range(4), 2: range(6)}),
    "101-5": partial(R101, behind={1: (1, 3), 2: (6, 13, 20)}),
    "50-gaussian": partial(R50, behind={2: (4,)}, non_local=Gaussian),
    "50-dot_product": partial(R50, behind={2: (4,)}, non_local=DotProduct),
    "50-concatenation": partial(R50, behind={2: (4,)}, non_local=Concatenation),
    "cifar": partial(NonLocalCIFAR, BasicBlock, (1, 1, 2, 2), width=16, behind={1: (0,), 2: (0,)}),
}
