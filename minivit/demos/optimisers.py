"""Where SGD, momentum, AdamW and Muon walk on a small loss surface, for learning rates from too low to too high.

The parameter is a matrix W of 2 x 2 weights, so that Muon, which sees directions of a matrix, can act. It is
U diag(a, b) U^T with a fixed turn U, and each loss depends on a and b alone. Then the gradient has the same form, and
every path stays in a plane that can be drawn: of the two weights on W's diagonal if U is the identity, of W11 and W12
if U turns by 45 degrees, since then W11 = W22 and W12 = W21. SGD and Muon do not notice the turn; AdamW, which treats
each weight by itself, does.
"""

import math

import numpy as np

from ..engine import Tensor
from ..train import SGD, AdamW, Muon

TITLE = "Each optimiser needs a learning rate of its own"
LOOK_FOR = "the rates at which each of the four, all from one ring, crawls, arrives, trembles, or leaves the map."
QUESTION = ("Turn the valley. Three of the paths turn with it and keep their shape; which does not, and why? "
            "And why do AdamW and Muon tremble where SGD explodes?")

STEPS = 60
GRID, REACH = 121, 2.4  # points of the map on each axis, and how far it reaches from 0
RATES = tuple(round(10 ** (tenth / 10), 4) for tenth in range(-25, 6))   # 0.003 to 3
TURN = {"along": np.eye(2), "across": np.array([[1, 1], [-1, 1]]) / math.sqrt(2), "saddle": np.eye(2)}
START = {"along": (-1.6, 1.0), "across": (-1.6, 1.0), "saddle": (-1.5, 0.02)}
OPTIMISERS = {"SGD": lambda w, lr: SGD([w], lr, momentum=0.0),
              "momentum": lambda w, lr: SGD([w], lr, momentum=0.9),
              "AdamW": lambda w, lr: AdamW([w], lr, weight_decay=0.0),
              "Muon": lambda w, lr: Muon([{"params": [w], "orthogonal": True}], lr, weight_decay=0.0)}


def valley(a, b):
    """Twenty times as steep across as along."""
    return (a ** 2 + 20 * b ** 2) / 2


def saddle(a, b):
    """A pass at 0, with a valley on either side, at b = -1 and b = 1."""
    return a ** 2 / 2 + (b ** 2 - 1) ** 2 / 4


LOSS = {"along": valley, "across": valley, "saddle": saddle}


def loss_of(surface, w):
    """The loss of the weights: of a and b, the diagonal of U^T W U.    (2, 2) -> ()"""
    turn = TURN[surface]
    turned = turn.T @ w @ turn                                           # (2, 2)
    return LOSS[surface](turned[0, 0], turned[1, 1])


def in_plane(surface, w):
    """Where a matrix of this form lies on the map of two of its weights, with its true distances.    (2, 2) -> (2,)"""
    return math.sqrt(2) * w[0] if surface == "across" else w.diagonal()


def heights(surface):
    """The loss at the points of the map, rows from below.    -> float32 (GRID, GRID)"""
    x, y = np.meshgrid(np.linspace(-REACH, REACH, GRID), np.linspace(-REACH, REACH, GRID))
    a, b = ((x - y) / math.sqrt(2), (x + y) / math.sqrt(2)) if surface == "across" else (x, y)
    return LOSS[surface](a, b).astype(np.float32)


def walk(surface, optimiser, lr):
    """The places on the map and the losses before each step and after the last; infinite once they are beyond all.

    -> float32 (STEPS + 1, 2), float32 (STEPS + 1,)
    """
    turn = TURN[surface]
    w = Tensor(turn @ np.diag(START[surface]) @ turn.T, requires_grad=True)      # (2, 2)
    optimiser = OPTIMISERS[optimiser](w, lr)
    places, losses = np.full((STEPS + 1, 2), np.inf, np.float32), np.full(STEPS + 1, np.inf, np.float32)
    for step in range(STEPS + 1):
        loss = loss_of(surface, w)
        places[step], losses[step] = in_plane(surface, w.data), loss.item()
        if losses[step] > 1e6:
            break
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return places, losses


def data():
    """Maps, and the paths of all optimisers: places[surface] (rates, optimisers, STEPS + 1, 2), and their losses."""
    places, losses = {}, {}
    for surface in LOSS:
        walks = [[walk(surface, optimiser, lr) for optimiser in OPTIMISERS] for lr in RATES]
        places[surface], losses[surface] = (np.stack([[one[part] for one in row] for row in walks]) for part in (0, 1))
    return {"reach": REACH, "rates": RATES, "optimisers": list(OPTIMISERS), "places": places, "losses": losses,
            "heights": {surface: heights(surface) for surface in LOSS}}
