# %% [markdown] minutes="estimated 55"
# # Exercise 01: gradients by hand
#
# Every operation of an engine is a value, and a rule that turns the gradient `dy` of the loss with respect to its
# result into gradients with respect to its arguments. Here you write two rules of the lesson and its check again,
# derive one that it does not have, walk over a graph that is stored in another way, and mend an engine.
#
# | symbol | meaning |
# |---|---|
# | y | result of an operation, dy the gradient of the loss with respect to it (same shape) |
# | x, w, b | arguments; dx, dw, db their gradients (each with its argument's shape) |
# | eps | the step of a difference quotient |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Broadcasting, backward
#
# Broadcasting copies an entry to many places. The gradient of the argument has the argument's shape.

# %% answer="sum_to_shape" kind="retype"
def sum_to_shape(dy, shape):
    """dx of an argument x that has this shape and was broadcast to dy.shape, from dy of that shape.

    (5, 4, 3), (4, 1) -> (4, 1)
    """
    # solution: sum over the axes in front that shape lacks, then over those where shape has a 1, keeping them
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return dy.sum(axis=stretched, keepdims=True)
    # end

# %% check="sum_to_shape" points=15
SEED = 1
rng = np.random.default_rng(SEED)
dy = rng.normal(size=(5, 4, 3))
show(column=sum_to_shape(dy, (4, 1)), row=sum_to_shape(dy, (3,)), one=sum_to_shape(dy, (1, 1)),
     scalar=sum_to_shape(dy, ()), same=sum_to_shape(dy, (5, 4, 3)), front=sum_to_shape(dy, (1, 4, 3)),
     many=np.asarray(sum_to_shape(rng.normal(size=(2, 300, 300)), (300, 300)))[::60, ::60])

# %% [markdown] hint="sum_to_shape"
# An entry that was copied to five places is used five times. What becomes of the gradients of all uses?

# %% [markdown] hint="sum_to_shape"
# Two steps: first the axes in front, `dy.ndim - len(shape)` of them; then, with `keepdims=True`, the axes where
# shape has a 1.

# %% mutants="sum_to_shape"
MUTANTS = {
    "mean": ("return dy.sum(axis=stretched", "return dy.mean(axis=stretched",
             "The gradients of all copies add up: a sum, not a mean."),
    "mean_of_all": ("dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))\n"
                    "    stretched = tuple(i for i, n in enumerate(shape) if n == 1)\n"
                    "    return dy.sum(axis=stretched, keepdims=True)",
                    "dy = dy.mean(axis=tuple(range(dy.ndim - len(shape))))\n"
                    "    stretched = tuple(i for i, n in enumerate(shape) if n == 1)\n"
                    "    return dy.mean(axis=stretched, keepdims=True)",
                    "The gradients of all copies add up: sums, not means."),
    "axes_lost": ("keepdims=True", "keepdims=False",
                  "The result must have the argument's shape: stretched axes stay, with length 1."),
    "front_forgotten": ("dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))",
                        "dy = dy[(0,) * (dy.ndim - len(shape))]", "The axes in front are summed over, not cut off."),
    "picks_one": ("return dy.sum(axis=stretched, keepdims=True)",
                  "return dy[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]",
                  "One copy's gradient is not all of it: sum over the stretched axes."),
}

# %% [markdown]
# ## 2. Product of matrices
#
# Leading axes count matrices; here both arguments have the same.

# %% answer="matmul_backward" kind="retype" formula=true
def matmul_backward(dy, x, w):
    """dx, dw of y = x @ w.    For example (..., 5, 3), (..., 5, 4), (..., 4, 3) -> (..., 5, 4), (..., 4, 3)"""
    # solution: dy times w transposed, and x transposed times dy; only the last two axes are transposed
    return dy @ w.swapaxes(-1, -2), x.swapaxes(-1, -2) @ dy
    # end

# %% check="matmul_backward" points=15
SEED = 1
rng = np.random.default_rng(SEED)
dx, dw = matmul_backward(rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), rng.normal(size=(2, 4)))
stack_dx, stack_dw = matmul_backward(*rng.normal(size=(3, 2, 3, 3)))
many_dx, many_dw = matmul_backward(*rng.normal(size=(3, 30, 30, 30)).astype(np.float32))
show(dx=dx, dw=dw, stack_dx=stack_dx, stack_dw=stack_dw, many_dx=np.asarray(many_dx)[::10, ::10, ::10],
     many_dw=np.asarray(many_dw)[::10, ::10, ::10])

# %% [markdown] hint="matmul_backward"
# Write the shapes: (5, 4) can only come from (5, 3) times (3, 4).

# %% [markdown] hint="matmul_backward"
# In a stack only the last two axes belong to a matrix: `swapaxes(-1, -2)`.

# %% mutants="matmul_backward"
MUTANTS = {
    "no_transpose": ("dy @ w.swapaxes(-1, -2)", "dy @ (w if w.shape[-1] == w.shape[-2] else w.swapaxes(-1, -2))",
                     "w must be transposed, also where it is square and would fit as it is."),
    "all_axes": ("x.swapaxes(-1, -2)", "x.T", "`.T` reverses all axes. Only the last two belong to a matrix."),
    "all_axes_of_both": ("dy @ w.swapaxes(-1, -2), x.swapaxes(-1, -2) @ dy", "dy @ w.T, x.T @ dy",
                         "`.T` reverses all axes. Only the last two belong to a matrix."),
    "exchanged": ("dy @ w.swapaxes(-1, -2), x.swapaxes(-1, -2) @ dy",
                  "x.swapaxes(-1, -2) @ dy, dy @ w.swapaxes(-1, -2)",
                  "dx and dw are exchanged: dx has the shape of x."),
    "dw_transposed": ("x.swapaxes(-1, -2) @ dy", "dy.swapaxes(-1, -2) @ x", "That is the transpose of dw."),
}

# %% [markdown]
# ## 3. The check
#
# The difference to both sides, entry by entry. The array that is given stays as it is.

# %% answer="numeric_gradient" kind="retype"
def numeric_gradient(f, x, eps=1e-6):
    """(f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for every entry i of x; f maps an array to a number."""
    # solution: for every index, a copy of x with eps added, one with eps subtracted, and the quotient of differences
    g = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = eps
        g[i] = (f(x + step) - f(x - step)) / (2 * eps)
    return g
    # end

# %% check="numeric_gradient" points=10 rtol=1e-5
SEED = 1
rng = np.random.default_rng(SEED)
x = rng.normal(size=(2, 3))
show(cubic=numeric_gradient(lambda x: (x ** 3).sum(), x), coarse=numeric_gradient(lambda x: (x ** 3).sum(), x, eps=0.5),
     x_afterwards=x)

# %% [markdown] hint="numeric_gradient"
# `for i in np.ndindex(x.shape)` goes through all indices, whatever the number of axes. Leave x itself as it is.

# %% [markdown] hint="numeric_gradient"
# Two arrays for each entry: one in which only this entry is larger by eps, one in which it is smaller.

# %% mutants="numeric_gradient"
MUTANTS = {
    "one_sided": ("(f(x + step) - f(x - step)) / (2 * eps)", "(f(x + step) - f(x)) / eps",
                  "This is the one-sided difference. Go to both sides: the error falls with the square of eps then."),
    "factor_two": ("(2 * eps)", "eps", "The two points are 2 eps apart."),
    "all_at_once": ("step[i] = eps", "step[...] = eps", "Only one entry moves at a time."),
    "reversed": ("f(x + step) - f(x - step)", "f(x - step) - f(x + step)",
                 "The sign: the point ahead minus the point behind."),
}

# %% [markdown]
# ## 4. Division
#
# The lesson has no rule for $y = x / w$. Derive it: by how much does y change with x, and with w? The shapes of x and w
# broadcast.

# %% answer="divide_backward" kind="transfer" formula=true
def divide_backward(dy, x, w):
    """dx, dw of y = x / w, for x and w of shapes that broadcast."""
    # solution: dy / w for x, and -dy x / w^2 for w, each summed to its own shape by sum_to_shape
    return sum_to_shape(dy / w, x.shape), sum_to_shape(-dy * x / w ** 2, w.shape)
    # end

# %% check="divide_backward" points=15
SEED = 1
rng = np.random.default_rng(SEED)
x, w = rng.normal(size=(4, 3)), rng.uniform(0.5, 2, size=(3,))
dx, dw = divide_backward(rng.normal(size=(4, 3)), x, w)
column, row = divide_backward(rng.normal(size=(4, 3)), x[:, :1], w[None])
square, _ = divide_backward(rng.normal(size=(3, 3)), x[:3], 1 + x[1:] ** 2)
many, _ = divide_backward(rng.normal(size=(300, 300)), rng.normal(size=(300, 300)), rng.uniform(0.5, 2, size=(300, 1)))
show(dx=dx, dw=dw, column=column, row=row, square=square, many=np.asarray(many)[::60, ::60])

# %% [markdown] hint="divide_backward"
# Hold w still: y is a straight line in x, of which slope? Hold x still: what is the derivative of $x w^{-1}$?

# %% [markdown] hint="divide_backward"
# Multiply each local derivative by dy, entry by entry. The shapes that broadcast come last: `sum_to_shape`.

# %% mutants="divide_backward"
MUTANTS = {
    "not_summed": ("sum_to_shape(dy / w, x.shape)", "dy / w",
                   "The gradient of a broadcast argument must be summed to the argument's shape."),
    "neither_summed": ("sum_to_shape(dy / w, x.shape), sum_to_shape(-dy * x / w ** 2, w.shape)",
                       "dy / w, -dy * x / w ** 2",
                       "The gradient of a broadcast argument must be summed to the argument's shape: x's and w's."),
    "no_minus": ("-dy * x", "dy * x", "The sign: y falls when w grows (for positive x and w)."),
    "not_squared": ("w ** 2", "w", "The derivative of 1 / w is -1 / w^2."),
    "sum_first": ("sum_to_shape(-dy * x / w ** 2, w.shape)",
                  "sum_to_shape(-dy, w.shape) * sum_to_shape(x + 0 * dy, w.shape) / w ** 2",
                  "A product of sums is not the sum of products: multiply, then sum."),
    "times_w": ("dy / w, x.shape", "dy * w, x.shape", "That is the rule of x w."),
    "no_x": ("-dy * x / w ** 2", "-dy * np.ones(x.shape) / w ** 2",
             "The derivative with respect to w still has the factor x."),
}

# %% [markdown]
# ## 5. The walk backward
#
# The lesson's walks know the arguments of each node from the node itself, or number the nodes as they are made. This
# graph is a dictionary, in no particular order: `graph[name]` lists `(argument, local derivative)` for a result, and is
# missing for inputs. The same argument may stand twice, as in $y = x + x$.

# %% answer="gradients" kind="transfer"
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

# %% check="gradients" points=15
SEED = 1
rng = np.random.default_rng(SEED)
r = rng.normal(size=12).tolist()
twice = gradients({"b": [("a", r[0]), ("a", r[1])]}, "b")
graph = {"b": [("c", r[2]), ("e", r[3])], "d": [("a", r[4]), ("b", r[5]), ("e", r[6])], "c": [("a", r[7])],
         "f": [("d", r[8])], "e": [("a", r[9]), ("c", r[10])], "unused": [("a", r[11])]}
found = gradients(graph, "d")
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
    "as_written": ("in reversed(order)", "in [name for name in graph if name in gradient]",
                   "The dictionary is in no particular order: sort the nodes before you walk."),
    "as_written_from_the_end": ("in reversed(order)", "in [name for name in reversed(graph) if name in gradient]",
                                "The dictionary is in no particular order: sort the nodes before you walk."),
    "each_arrival": ("    for name in reversed(order):\n        for argument, local in graph.get(name, []):\n"
                     "            gradient[argument] += local * gradient[name]",
                     "    todo = [last]\n    while todo:\n        name = todo.pop()\n"
                     "        for argument, local in graph.get(name, []):\n"
                     "            gradient[argument] += local * gradient[name]\n            todo.append(argument)",
                     "A node passes on all that it holds each time something arrives. It passes on once, when its "
                     "gradient is complete."),
    "each_arrival_recursive": ("    for name in reversed(order):\n        for argument, local in graph.get(name, []):\n"
                               "            gradient[argument] += local * gradient[name]",
                               "    def pass_on(name):\n        for argument, local in graph.get(name, []):\n"
                               "            gradient[argument] += local * gradient[name]\n"
                               "            pass_on(argument)\n\n    pass_on(last)",
                               "A node passes on all that it holds each time something arrives. It passes on once, "
                               "when its gradient is complete."),
}

# %% [markdown]
# ## 6. The wrong gradient of b
#
# This part of an engine adds up what arrives at each name. In a network with $y = x + b$, where x is used once more,
# the gradient of x is right. That of b is wrong, though b is used only once. (What does the lesson's rule of addition
# hand to x, and what to b?)

# %% answer="collect" kind="debug" bug="in_place"
def collect(parts):
    """{name: the sum of all arrays that arrive for it}, from a list of (name, array) in order of arrival.

    The arrays that arrive are left as they are.
    """
    # solution: `+=` on an array changes the array itself, which others hold as well: total[name] = total[name] + part
    total = {}
    for name, part in parts:
        if name in total:
            total[name] = total[name] + part
        else:
            total[name] = part
    return total
    # end

# %% check="collect" points=10
SEED = 1
rng = np.random.default_rng(SEED)
dy, other, last = rng.normal(size=(3, 2, 3))
found = collect([("x", dy), ("b", dy), ("x", other), ("x", last)])
show(x=found["x"], b=found["b"], dy=dy, other=other, last=last, names=sorted(found))

# %% [markdown] hint="collect"
# Call it with `[("x", one), ("b", one), ("x", one)]`, where `one = np.ones(2)`, and print `one` afterwards.

# %% [markdown] hint="collect"
# How many arrays are there in `total` after the first two lines of the list: two, or one under two names?

# %% mutants="collect"
MUTANTS = {
    "in_place": ("total[name] = total[name] + part", "total[name] += part",
                 "`+=` changes the array itself, and b holds the same one."),
    "overwrites": ("total[name] = total[name] + part", "total[name] = part",
                   "What arrives is added: a node that is used several times receives several gradients."),
    "first_only": ("total[name] = total[name] + part", "pass", "What arrives later counts as well."),
    "into_the_part": ("total[name] = total[name] + part", "part += total[name]; total[name] = part",
                      "Now the arriving array is changed, which may belong to somebody else, too."),
}

# %% [markdown]
# ## 7. How small a step?
#
# The lesson looks at the difference quotient of exp at one place. **Predict first**: which power of ten is the best
# step in float64 if you go to one side, which if you go to both; and by which factor does the error of both sides
# fall when eps falls from 0.1 to 0.01? Then measure: the mean of the absolute error at `places`, for
# $\text{eps} = 10^{-1}, 10^{-2}, \ldots, 10^{-12}$.

# %%
places = np.linspace(0, 1, 1001)

# %% answer="best_steps" kind="measure"
def best_steps():
    """{"one_side": the best exponent, "both_sides": the best exponent, "factor": whole number}

    An exponent of -3 stands for eps = 0.001.
    """
    # solution: for each eps the mean of |quotient - exp(x)| over x = places, with (exp(x + eps) - exp(x)) / eps and
    # with (exp(x + eps) - exp(x - eps)) / (2 eps); the exponent with the smallest mean; the factor is the error at 0.1
    # over the error at 0.01, rounded
    exact, one, both = np.exp(places), [], []
    for exponent in range(1, 13):
        eps = 10.0 ** -exponent
        ahead, behind = np.exp(places + eps), np.exp(places - eps)
        one.append(np.abs((ahead - exact) / eps - exact).mean())
        both.append(np.abs((ahead - behind) / (2 * eps) - exact).mean())
    return {"one_side": -1 - int(np.argmin(one)), "both_sides": -1 - int(np.argmin(both)),
            "factor": round(float(both[0] / both[1]))}
    # end

# %% check="best_steps" points=10
show(**best_steps())

# %% [markdown] reasons="best_steps"
# your prediction and your measurement; which two errors meet at the best step, and how each depends on eps; why the two
# best steps differ.

# %% [markdown] hint="best_steps"
# The lesson's figure in section 6 has four V's. Where is the bottom of those in float64?

# %% [markdown] hint="best_steps"
# Take the mean over the places before you look for the smallest: at one place rounding may be kind by chance.

# %% mutants="best_steps"
MUTANTS = {
    "exchanged": ('"one_side": -1 - int(np.argmin(one)), "both_sides": -1 - int(np.argmin(both))',
                  '"both_sides": -1 - int(np.argmin(one)), "one_side": -1 - int(np.argmin(both))',
                  "Going to both sides has the smaller error of formula, so it can afford the larger step."),
    "smallest_step": ("-1 - int(np.argmin(one))", "-len(one)",
                      "Smaller is not always better: the rounding error of the difference grows as eps falls."),
    "smallest_steps": ('"one_side": -1 - int(np.argmin(one)), "both_sides": -1 - int(np.argmin(both))',
                       '"one_side": -len(one), "both_sides": -len(both)',
                       "Smaller is not always better: the rounding error of the difference grows as eps falls."),
    "same_for_both": ("-1 - int(np.argmin(both))", "-1 - int(np.argmin(one))",
                      "Going to both sides has the smaller error of formula, so it can afford the larger step."),
    "step_of_the_lesson": ("-1 - int(np.argmin(both))", "-6",
                           "That is the eps of the lesson. Measure: the mean over all places is smaller elsewhere."),
    "order_one": ("both[0] / both[1]", "one[0] / one[1]",
                  "That is the factor of one side. With both the error falls with the square of eps."),
    "counted_from_zero": ("-1 - int(np.argmin(one)), \"both_sides\": -1 - int(np.argmin(both))",
                          "-int(np.argmin(one)), \"both_sides\": -int(np.argmin(both))",
                          "The first step in the list is 0.1, whose exponent is -1, not 0."),
}

# %% [markdown]
# ## 8. Four engines go downhill
#
# Four engines minimise the loss $w \cdot w$ from $w = 1$ by the same rule, $w \leftarrow w - r\, dw$ with the same r.
# One is exact. One writes `=` where `+=` belongs. One never sets gradients back to zero. One has a wrong sign in a
# rule. The lesson's section 4 has the first two of these mistakes, with another r.

# %%
n = np.arange(25)
turn = np.arccos(0.88)
paths = {"A": np.cos(n * turn) - 0.12 * np.sin(n * turn) / np.sin(turn), "B": 1.24 ** n, "C": 0.88 ** n, "D": 0.76 ** n}

# %% figure="w at each step, for four engines: A swings, B grows, C falls slowly, D falls fast"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
figure, axes = plt.subplots(figsize=(7.5, 3.8))
for (name, path), style in zip(paths.items(), ["-", "--", "-.", ":"], strict=True):
    axes.plot(n, path, style, label=f"engine {name}")
axes.axhline(0, color="gray", linewidth=0.8)
axes.set(xlabel="step", ylabel="w", ylim=(-1.5, 2.5), title="Four engines on the same loss")
axes.legend()
plt.show()
print("first steps", {name: path[:4].round(3).tolist() for name, path in paths.items()})

# %% answer="read_paths" kind="read"
def read_paths():
    """{"exact": ..., "overwrites": ..., "not_zeroed": ..., "wrong_sign": ..., "rate": ...}

    The first four: "A", "B", "C" or "D". rate: the r of all four, to two decimals.
    """
    # solution: a wrong sign walks uphill; gradients that add up swing; in w w the same argument stands twice, so `=`
    # halves the gradient: of the two that fall, the slower one. The exact gradient is 2 w: w falls by 2 r w = 0.24 w
    exact, overwrites, not_zeroed, wrong_sign = "D", "C", "A", "B"
    rate = round(float(1 - paths[exact][1]) / 2, 2)
    return {"exact": exact, "overwrites": overwrites, "not_zeroed": not_zeroed, "wrong_sign": wrong_sign, "rate": rate}
    # end

# %% check="read_paths" points=10 step=0.01
show(**read_paths())

# %% [markdown] hint="read_paths"
# Two engines walk smoothly towards 0. Which mistake only makes the gradient of $w \cdot w$ smaller, and by how much?

# %% [markdown] hint="read_paths"
# For the rate take the exact engine's first step: from 1 to which number? Its gradient there is 2.

# %% mutants="read_paths"
MUTANTS = {
    "fast_is_wrong": ('"D", "C", "A", "B"', '"C", "D", "A", "B"',
                      "In w w the same argument stands twice: `=` loses one of two equal gradients, half of the "
                      "step."),
    "swing_is_sign": ('"D", "C", "A", "B"', '"D", "C", "B", "A"',
                      "A wrong sign walks away from the minimum, ever faster; sums of old gradients swing through it."),
    "gradient_forgotten": (" / 2, 2)", ", 2)", "The step is r times the gradient, and the gradient of w w is 2 w."),
}
