# %% [markdown] minutes="estimated 60"
# # Exercise 01: gradients by hand
#
# Every operation of an autograd engine is a pair: a value, and a rule that turns the gradient `dy` of the loss with
# respect to its result into gradients with respect to its arguments. Seven rules and one walk over a graph make an
# engine.
#
# | symbol | meaning |
# |---|---|
# | y | result of an operation, dy the gradient of the loss with respect to it (same shape) |
# | a, b, x | arguments; da, db, dx their gradients (each with its argument's shape) |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Broadcasting, backward
#
# Broadcasting copies an entry to many places; its gradient is the sum over these places. Axes that broadcasting
# put in front disappear; axes of length 1 that were stretched keep their length 1.

# %% answer="sum_to_shape" kind="retype"
def sum_to_shape(dy, shape):
    """The gradient of x, of this shape, from the gradient dy of x broadcast to dy.shape.

    (5, 4, 3), (4, 1) -> (4, 1)
    """
    # solution: sum over the axes in front that shape lacks, then over those where shape has a 1, keeping them
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return dy.sum(axis=stretched, keepdims=True)
    # end

# %% check="sum_to_shape" points=20
SEED = 1
rng = np.random.default_rng(SEED)
dy = rng.normal(size=(5, 4, 3))
show(column=sum_to_shape(dy, (4, 1)), row=sum_to_shape(dy, (3,)), one=sum_to_shape(dy, (1, 1)),
     scalar=sum_to_shape(dy, ()), same=sum_to_shape(dy, (5, 4, 3)), front=sum_to_shape(dy, (1, 4, 3)),
     many=np.asarray(sum_to_shape(rng.normal(size=(2, 300, 300)), (300, 300)))[::60, ::60])

# %% [markdown] hint="sum_to_shape"
# Two steps: first the axes in front, `dy.ndim - len(shape)` of them; then, with `keepdims=True`, the axes where
# shape has a 1.

# %% mutants="sum_to_shape"
MUTANTS = {
    "mean": ("return dy.sum(axis=stretched", "return dy.mean(axis=stretched",
             "The gradients of all copies add up: a sum, not a mean."),
    "axes_lost": ("keepdims=True", "keepdims=False",
                  "The result must have the argument's shape: stretched axes stay, with length 1."),
    "front_forgotten": ("dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))",
                        "dy = dy[(0,) * (dy.ndim - len(shape))]", "The axes in front are summed over, not cut off."),
    "picks_one": ("return dy.sum(axis=stretched, keepdims=True)",
                  "return dy[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]",
                  "One copy's gradient is not all of it: sum over the stretched axes."),
}

# %% [markdown]
# ## 2. Addition
#
# $y = a + b$, so $\partial y / \partial a = 1$: the gradient passes through unchanged, but for broadcasting.

# %% answer="add_backward" kind="retype" formula=true
def add_backward(dy, a, b):
    """da, db of y = a + b, for a and b of shapes that broadcast."""
    # solution: dy for both, each summed to its own shape
    return sum_to_shape(dy, a.shape), sum_to_shape(dy, b.shape)
    # end

# %% check="add_backward" points=10
SEED = 1
rng = np.random.default_rng(SEED)
a, b = rng.normal(size=(4, 3)), rng.normal(size=(3,))
da, db = add_backward(rng.normal(size=(4, 3)), a, b)
column, row = add_backward(rng.normal(size=(4, 3)), a[:, :1], b[None])
many, _ = add_backward(rng.normal(size=(300, 300)).astype(np.float32), np.zeros((300, 300), np.float32), a[0, :1])
show(da=da, db=db, column=column, row=row, many=np.asarray(many)[::60, ::60])

# %% [markdown] hint="add_backward"
# `sum_to_shape` from above does all of the work.

# %% mutants="add_backward"
MUTANTS = {
    "not_summed": ("sum_to_shape(dy, a.shape), sum_to_shape(dy, b.shape)", "dy, dy",
                   "The gradient of a broadcast argument must be summed to the argument's shape."),
    "exchanged": ("sum_to_shape(dy, a.shape), sum_to_shape(dy, b.shape)",
                  "sum_to_shape(dy, b.shape), sum_to_shape(dy, a.shape)", "da and db are exchanged."),
    "minus": ("sum_to_shape(dy, b.shape)", "-sum_to_shape(dy, b.shape)", "That is the rule of a - b."),
}

# %% [markdown]
# ## 3. Multiplication
#
# $y = a b$, entry by entry: $\partial y / \partial a = b$.

# %% answer="mul_backward" kind="retype" formula=true
def mul_backward(dy, a, b):
    """da, db of y = a * b, for a and b of shapes that broadcast."""
    # solution: dy times the other argument, each summed to its own shape
    return sum_to_shape(dy * b, a.shape), sum_to_shape(dy * a, b.shape)
    # end

# %% check="mul_backward" points=10
SEED = 1
rng = np.random.default_rng(SEED)
a, b = rng.normal(size=(4, 3)), rng.normal(size=(3,))
da, db = mul_backward(rng.normal(size=(4, 3)), a, b)
same, _ = mul_backward(rng.normal(size=(3, 3)), a[:3], a[1:])
steep, _ = mul_backward(rng.normal(size=(4, 3)), a, np.array([1e12, 1.0, 2.0]))
many, _ = mul_backward(*rng.normal(size=(3, 300, 300)).astype(np.float32))
show(da=da, db=db, same=same, beside_the_steep=np.asarray(steep)[:, 1:], many=np.asarray(many)[::60, ::60])

# %% [markdown] hint="mul_backward"
# Multiply first, then sum: the order matters.

# %% mutants="mul_backward"
MUTANTS = {
    "own_factor": ("dy * b, a.shape), sum_to_shape(dy * a,", "dy * a, a.shape), sum_to_shape(dy * b,",
                   "The derivative of a b with respect to a is b, the other argument."),
    "sum_first": ("sum_to_shape(dy * a, b.shape)", "sum_to_shape(dy, b.shape) * sum_to_shape(a, b.shape)",
                  "A product of sums is not the sum of products: multiply, then sum."),
    "no_dy": ("sum_to_shape(dy * b, a.shape)", "sum_to_shape(0 * dy + b, a.shape)",
              "The local derivative must be multiplied by dy: that is the chain rule."),
}

# %% [markdown]
# ## 4. Sum
#
# Every entry of x goes into its sum with weight one, so each receives that sum's gradient. The summed axis is
# gone from dy; put it back before you stretch it.

# %% answer="sum_backward" kind="retype" formula=true
def sum_backward(dy, x, axis):
    """dx of y = x.sum(axis), for one axis, counted from the front or the back."""
    # solution: dy with the axis put back, stretched to x's shape
    return np.expand_dims(dy, axis) * np.ones(x.shape)
    # end

# %% check="sum_backward" points=10
SEED = 1
rng = np.random.default_rng(SEED)
x = rng.normal(size=(4, 4, 4))
show(first=sum_backward(rng.normal(size=(4, 4)), x, 0), middle=sum_backward(rng.normal(size=(4, 4)), x, 1),
     last=sum_backward(rng.normal(size=(4, 4)), x, -1),
     many=np.asarray(sum_backward(rng.normal(size=(46, 46)), rng.normal(size=(46, 46, 46)), 1))[::15, ::15, ::15])

# %% [markdown] hint="sum_backward"
# `np.expand_dims(dy, axis)` has length 1 where the axis was; broadcasting stretches it.

# %% mutants="sum_backward"
MUTANTS = {
    "always_front": ("np.expand_dims(dy, axis)", "dy",
                     "Without its axis, dy is lined up with the last axes of x. Put the summed axis back first."),
    "mean": ("np.ones(x.shape)", "np.ones(x.shape) / x.shape[axis]",
             "That is the rule of the mean: the sum has weight one."),
    "times_x": ("np.ones(x.shape)", "x", "The sum's derivative is one, whatever x is."),
}

# %% [markdown]
# ## 5. Product of matrices
#
# $Y = A B$. With $y_{ij} = \sum_k a_{ik} b_{kj}$: $dA = dY\, B^\top$ and $dB = A^\top dY$. Leading axes count
# matrices; here both arguments have the same.

# %% answer="matmul_backward" kind="retype" formula=true
def matmul_backward(dy, a, b):
    """da, db of y = a @ b.    (..., n, m), (..., n, k), (..., k, m) -> (..., n, k), (..., k, m)"""
    # solution: dy times b transposed, and a transposed times dy; only the last two axes are transposed
    return dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy
    # end

# %% check="matmul_backward" points=20
SEED = 1
rng = np.random.default_rng(SEED)
da, db = matmul_backward(rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), rng.normal(size=(2, 4)))
stack_da, stack_db = matmul_backward(*rng.normal(size=(3, 2, 3, 3)))
many_da, many_db = matmul_backward(*rng.normal(size=(3, 30, 30, 30)).astype(np.float32))
show(da=da, db=db, stack_da=stack_da, stack_db=stack_db, many_da=np.asarray(many_da)[::10, ::10, ::10],
     many_db=np.asarray(many_db)[::10, ::10, ::10])

# %% [markdown] hint="matmul_backward"
# Write the shapes: (n, k) can only come from (n, m) times (m, k).

# %% mutants="matmul_backward"
MUTANTS = {
    "no_transpose": ("dy @ b.swapaxes(-1, -2)", "dy @ (b if b.shape[-1] == b.shape[-2] else b.swapaxes(-1, -2))",
                     "b must be transposed, also where it is square and would fit as it is."),
    "all_axes": ("a.swapaxes(-1, -2)", "a.T", "`.T` reverses all axes. Only the last two belong to a matrix."),
    "exchanged": ("dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy",
                  "a.swapaxes(-1, -2) @ dy, dy @ b.swapaxes(-1, -2)",
                  "da and db are exchanged: da has the shape of a."),
    "db_transposed": ("a.swapaxes(-1, -2) @ dy", "dy.swapaxes(-1, -2) @ a", "That is the transpose of db."),
}

# %% [markdown]
# ## 6. The numeric gradient
#
# A rule is checked against $\partial f / \partial x_i \approx (f(x + h e_i) - f(x - h e_i)) / 2h$, one entry at a
# time: slow, and hard to get wrong. The difference to both sides has an error of order $h^2$, the one-sided of
# order $h$.

# %% answer="numeric_gradient" kind="retype"
def numeric_gradient(f, x, h=1e-3):
    """g_i = (f(x + h e_i) - f(x - h e_i)) / (2 h) for every entry i of x; f maps an array to a number."""
    # solution: for every index, a copy of x with h added, one with h subtracted, and the quotient of differences
    g = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        g[i] = (f(x + step) - f(x - step)) / (2 * h)
    return g
    # end

# %% check="numeric_gradient" points=10 rtol=1e-5
SEED = 1
rng = np.random.default_rng(SEED)
x = rng.normal(size=(2, 3))
show(cubic=numeric_gradient(lambda x: (x ** 3).sum(), x), coarse=numeric_gradient(lambda x: (x ** 3).sum(), x, h=0.5),
     x_afterwards=x)

# %% [markdown] hint="numeric_gradient"
# `for i in np.ndindex(x.shape)` goes through all indices, whatever the number of axes. Leave x itself as it is.

# %% mutants="numeric_gradient"
MUTANTS = {
    "one_sided": ("(f(x + step) - f(x - step)) / (2 * h)", "(f(x + step) - f(x)) / h",
                  "This is the one-sided difference. Go to both sides: the error falls from h to h squared."),
    "factor_two": ("(2 * h)", "h", "The two points are 2 h apart."),
    "all_at_once": ("step[i] = h", "step[...] = h", "Only one entry moves at a time."),
    "reversed": ("f(x + step) - f(x - step)", "f(x - step) - f(x + step)",
                 "The sign: the point ahead minus the point behind."),
}

# %% [markdown]
# ## 7. The walk backward
#
# A graph of numbers: `graph[name]` lists `(argument, local derivative)` for a result, and is missing for inputs.
# The gradient of a node is complete only when all that use it have passed theirs on, so nodes are visited in
# reverse topological order: each after everything that was computed from it. In $b = a + a$ the same argument
# stands twice, and both count.

# %% answer="gradients" kind="retype"
def gradients(graph, last):
    """{name: d last / d name} for all that `last` depends on, itself included.

    graph: {result: [(argument, d result / d argument), ...]}, in no particular order.
    """
    # solution: order the nodes by a depth-first search from the last, reverse the order, and add up gradients along it
    order, seen = [], set()

    def visit(name):
        if name not in seen:
            seen.add(name)
            for argument, _ in graph.get(name, []):
                visit(argument)
            order.append(name)

    visit(last)
    gradient = dict.fromkeys(order, 0.0)
    gradient[last] = 1.0
    for name in reversed(order):
        for argument, local in graph.get(name, []):
            gradient[argument] += local * gradient[name]
    return gradient
    # end

# %% check="gradients" points=20
SEED = 1
rng = np.random.default_rng(SEED)
r = rng.normal(size=12).tolist()
twice = gradients({"b": [("a", r[0]), ("a", r[1])]}, "b")
graph = {"b": [("a", r[2])], "c": [("a", r[3]), ("b", r[4])], "d": [("b", r[5]), ("c", r[6])], "unused": [("a", r[7])],
         "e": [("a", r[8]), ("d", r[9]), ("c", r[10])], "f": [("e", r[11])]}
found = gradients(graph, "e")
show(twice=twice["a"], a=found["a"], b=found["b"], c=found["c"], d=found["d"], e=found["e"], names=sorted(found))

# %% [markdown] hint="gradients"
# A depth-first search that appends a node after all of its arguments gives a topological order. Walk it from the end.

# %% [markdown] hint="gradients"
# `gradient[argument] += local * gradient[name]`: add, since an argument may be used several times.

# %% mutants="gradients"
MUTANTS = {
    "overwrites": ("gradient[argument] += local", "gradient[argument] = local",
                   "A node that is used twice receives two gradients: they add up."),
    "too_early": ("            for argument, _ in graph.get(name, []):\n                visit(argument)\n"
                  "            order.append(name)",
                  "            order.insert(0, name)\n            for argument, _ in graph.get(name, []):\n"
                  "                visit(argument)",
                  "A node is visited before all that use it have passed their gradient on."),
    "local_only": ("local * gradient[name]", "local",
                   "The local derivative is multiplied by the gradient of the result."),
    "paths_once": ("    for name in reversed(order):", "    for name in order:",
                   "The walk starts at the last node, not at the inputs."),
}
