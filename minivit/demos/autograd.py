"""Autograd: a formula's graph, computed forward, then walked backward one operation at a time.

The page has an engine of its own in autograd.js, for single numbers, as lesson 01 builds it; the tests compare its
values and gradients with minivit's.
"""

TITLE = "A gradient is complete when all paths to it have been walked"
LOOK_FOR = "the value that is used twice: after the first path its gradient is not yet the right one."
QUESTION = "In which order may the operations pass on their gradients? What goes wrong in another one?"
EXAMPLES = {
    "lesson 01": "x = 3; w = 2; b = 1; y1 = w*x; y2 = y1 + b; loss = y1*y2",
    "neuron": "x = 1.5; w = -2; b = 1; y = sigmoid(w*x + b); loss = (y - 1)^2",
    "residuals": "x = 0.5; y = x + tanh(x); loss = y + tanh(y)",
    "cross-entropy": "a = 2; b = -1; Z = exp(a) + exp(b); loss = log(Z) - a",
}


def data():
    """The formulas to begin with."""
    return {"examples": [{"name": name, "formula": formula} for name, formula in EXAMPLES.items()]}
