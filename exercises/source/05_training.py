# %% [markdown] minutes="estimated 70"
# # Exercise 05: what to do with a gradient
#
# The updates of the lesson, two that it does not show, a training that keeps the wrong weights, and how large a step
# may be. All in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | w, dw | weights, and the gradient of the loss with respect to them, of one shape |
# | m, v | running means of dw and of its square; of momentum, v is what has gathered |
# | t | number of the step, from 1 |
# | lr | learning rate |

# %%
import math

import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. AdamW
#
# Section 2 of the lesson: bias-corrected running means, and the decay beside them.

# %% answer="adamw" kind="retype"
def adamw(w, dw, state, t, lr, beta1=0.9, beta2=0.95, decay=0.0, eps=1e-8):
    """One step: the new weights and the new state (m, v).    (...), (...), ((...), (...)) -> (...), ((...), (...))"""
    # solution: w times 1 - lr decay; m = beta1 m + (1 - beta1) dw; v = beta2 v + (1 - beta2) dw^2; then subtract
    # lr m / (1 - beta1^t) over the root of v / (1 - beta2^t) plus eps
    m, v = state
    w = w * (1 - lr * decay)
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw ** 2
    w = w - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps)
    return w, (m, v)
    # end

# %% check="adamw" points=10
SEED = 5
rng = np.random.default_rng(SEED)
w, dw, m, v = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.random((3, 4))
new, (new_m, new_v) = adamw(w, dw, (m, v), 3, 0.1, decay=0.5)
show(w=new, m=new_m, v=new_v, eps=adamw(w, dw, (m, v), 7, 0.1, beta1=0.8, beta2=0.9, eps=0.3)[0])

# %% [markdown] hint="adamw"
# The first step from m = v = 0 must move every weight by lr, whatever the size of its gradient.

# %% [markdown] hint="adamw"
# Which of the five lines of the update use the old m and v, and which the new ones? Where does the decay stand, so that
# nothing divides it?

# %% mutants="adamw"
MUTANTS = {
    "decay_inside": ("    w = w * (1 - lr * decay)\n", "    dw = dw + decay * w\n",
                     "The decay stands beside Adam's step, on the weights themselves; in dw it is divided away."),
    "decay_without_rate": ("(1 - lr * decay)", "(1 - decay)", "The decay is multiplied by the learning rate."),
    "not_corrected": ("(m / (1 - beta1 ** t))", "m", "m begins at 0 and is too small: divide by 1 - beta1^t."),
    "square_not_corrected": ("v / (1 - beta2 ** t)", "v", "v begins at 0, too: divide by 1 - beta2^t."),
    "eps_under_the_root": ("(np.sqrt(v / (1 - beta2 ** t)) + eps)", "np.sqrt(v / (1 - beta2 ** t) + eps)",
                           "eps is added to the root, not to what is under it."),
    "no_root": ("(np.sqrt(v / (1 - beta2 ** t)) + eps)", "(v / (1 - beta2 ** t) + eps)",
                "v is a mean of squares: its root has the size of a gradient."),
}

# %% [markdown]
# ## 2. Clipping
#
# Section 5 of the lesson: all gradients by one factor.

# %% answer="clip" kind="retype"
def clip(gradients, limit):
    """The gradients, scaled so that the norm of all together is at most the limit.    [(...), ...] -> [(...), ...]"""
    # solution: the norm is the root of the sum of all squares of all arrays; where it is above the limit, every array
    # is multiplied by limit / norm
    norm = math.sqrt(sum((dw ** 2).sum() for dw in gradients))
    return [dw * min(1.0, limit / norm) for dw in gradients]
    # end

# %% check="clip" points=10
SEED = 5
rng = np.random.default_rng(SEED)
gradients = [rng.normal(size=(2, 3)), 4 * rng.normal(size=5), rng.normal(size=(2, 1, 2))]
a, b, c = clip(gradients, 1.5)
show(a=a, b=b, c=c, below=clip(gradients, 100.0)[1])

# %% [markdown] hint="clip"
# Two gradients, 3 and 4, and the limit 1 must give 0.6 and 0.8. And the limit 10?

# %% [markdown] hint="clip"
# One number is computed from all arrays, before any of them is changed.

# %% mutants="clip"
MUTANTS = {
    "each_by_itself": ("min(1.0, limit / norm)", "min(1.0, limit / np.linalg.norm(dw))",
                       "Each by itself changes the direction: one norm of all together is asked."),
    "always": ("min(1.0, limit / norm)", "(limit / norm)", "Below the limit nothing is changed."),
    "entries": ("dw * min(1.0, limit / norm)", "np.clip(dw, -limit, limit)",
                "The norm is limited, not each number: the direction must stay."),
    "no_root": ("math.sqrt(sum((dw ** 2).sum() for dw in gradients))", "sum((dw ** 2).sum() for dw in gradients)",
                "The norm is the root of the sum of squares."),
}

# %% [markdown]
# ## 3. The schedule
#
# Section 5 of the lesson: a line up, half a cosine down to 0 at the last step.

# %% answer="rate" kind="retype"
def rate(step, steps, peak, warmup):
    """The learning rate of a step, counted from 0. The step number `warmup` is the first at the peak.    -> number"""
    # solution: during the warm-up peak (step + 1) / (warmup + 1); after it peak (1 + cos(pi p)) / 2, where p goes from
    # 0 at step `warmup` to 1 at step `steps - 1`
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2
    # end

# %% check="rate" points=5
SEED = 5
rng = np.random.default_rng(SEED)
peak, warmup = float(rng.uniform(0.5, 2.0)), int(rng.integers(3, 8))
show(rates=np.array([rate(step, 20, peak, warmup) for step in range(20)]), none=rate(0, 5, peak, 0))

# %% [markdown] hint="rate"
# The first step already learns a little, the step number warmup has the peak, the last one has 0.

# %% [markdown] hint="rate"
# After the warm-up there are steps - 1 - warmup intervals up to the last step.

# %% mutants="rate"
MUTANTS = {
    "first_is_zero": ("(step + 1) / (warmup + 1)", "step / warmup",
                      "The first step would not learn: its rate is peak / (warmup + 1)."),
    "never_zero": ("(steps - 1 - warmup)", "(steps - warmup)", "The last step is number steps - 1; its rate is 0."),
    "no_offset": ("(step - warmup) /", "step /", "The cosine begins where the warm-up ends."),
    "whole_cosine": ("math.pi * (step", "2 * math.pi * (step", "Half a cosine: from 1 down to -1, once."),
}

# %% [markdown]
# ## 4. Look ahead
#
# Momentum moves the weights by $-\eta v$, and most of $v$ is known before $dw$ is: only $dw$ itself has to be added. So
# Nesterov (1983; in this form Sutskever et al., ICML 2013) asks for the gradient not where the weights are, but where
# they are about to be: where this step would take them if $dw$ were 0. All else is momentum as in the lesson. (The
# lesson's Muon has the same idea in other letters: its weights are the places ahead, and so it moves them along
# $dw + \beta m$.)

# %% answer="nesterov" kind="transfer"
def nesterov(w, gradient, v, lr, beta=0.9):
    """One step: the new weights and the new v; `gradient` is a function of weights.

    (...), (...) -> (...), (...), number, number -> (...), (...)
    """
    # solution: the place ahead is w - lr beta v; v = beta v + the gradient there; then w - lr v, from the old place
    v = beta * v + gradient(w - lr * beta * v)
    return w - lr * v, v
    # end

# %% check="nesterov" points=15
SEED = 5
rng = np.random.default_rng(SEED)
w, v, curvature = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.uniform(1, 3, size=(3, 4))
new, new_v = nesterov(w, lambda w: curvature * w, v, 0.1)
long, long_v = nesterov(w, lambda w: w ** 3, v, 0.2, beta=0.7)
show(w=new, v=new_v, long=long, long_v=long_v)

# %% [markdown] hint="nesterov"
# With beta = 0, or with v = 0, it is a step of the lesson's momentum: nothing is known in advance.

# %% [markdown] hint="nesterov"
# Write the lesson's two lines of momentum, and put 0 for dw: where do the weights end? Call `gradient` there.

# %% mutants="nesterov"
MUTANTS = {
    "plain_momentum": ("gradient(w - lr * beta * v)", "gradient(w)",
                       "That is the lesson's momentum: the gradient is asked for further ahead."),
    "beta_forgotten": ("w - lr * beta * v)", "w - lr * v)",
                       "Without dw the new v would be beta v: the weights would move by lr times that."),
    "rate_forgotten": ("w - lr * beta * v)", "w - beta * v)", "A step moves the weights by lr times v, not by v."),
    "behind": ("w - lr * beta * v)", "w + lr * beta * v)", "A step goes along minus v: that place lies behind."),
    "from_the_place_ahead": ("return w - lr * v, v", "return w - lr * beta * v - lr * v, v",
                             "Only the gradient comes from the place ahead: the step begins at w, or beta v counts "
                             "twice."),
    "not_gathered": ("v = beta * v + gradient", "v = beta * v + (1 - beta) * gradient",
                     "v is a sum, not a mean: the gradient enters with the factor 1."),
}

# %% [markdown]
# ## 5. One batch in parts
#
# A batch does not fit into memory. It is cut into parts, *not all of the same size*; for each part, the loss is the
# mean over its pictures, and its gradients are given. What are the gradients of the mean loss over the whole batch,
# clipped to a limit? The earlier answers may be called.

# %% answer="joined" kind="transfer"
def joined(parts, sizes, limit):
    """The clipped gradients of a batch, from a list of gradients for each of its parts.

    [[(...), ...], ...], [pictures of each part], number -> [(...), ...]
    """
    # solution: each gradient is the sum of the parts' gradients times size / sum of sizes; clip this sum, once
    total = sum(sizes)
    whole = [sum(size / total * dw for size, dw in zip(sizes, gradients, strict=True))
             for gradients in zip(*parts, strict=True)]
    return clip(whole, limit)
    # end

# %% check="joined" points=15
SEED = 5
rng = np.random.default_rng(SEED)
parts = [[rng.normal(size=(2, 3)), 3 * rng.normal(size=4)] for _ in range(3)]
a, b = joined(parts, [2, 5, 9], 0.8)
show(a=a, b=b, free=joined(parts, [7, 2, 1], 100.0)[1])

# %% [markdown] hint="joined"
# A part of one picture and a part of nine: whose mean loss weighs more in the mean over all ten?

# %% [markdown] hint="joined"
# Write the mean over the whole batch as a sum over parts, and differentiate. When is the norm of the whole gradient
# known?

# %% mutants="joined"
MUTANTS = {
    "parts_alike": ("size / total * dw", "dw / len(sizes)", "The parts have different sizes: a large one weighs more."),
    "summed": ("size / total * dw", "size * dw", "The loss is a mean over the batch: divide by all its pictures."),
    "added_up": ("size / total * dw", "dw", "Means of parts do not add up: each has its share of the batch."),
    "clipped_before": ("    whole = [", "    parts = [clip(part, limit) for part in parts]\n    whole = [",
                       "The norm that is limited is that of the whole batch: clip once, at the end."),
    "not_clipped": ("return clip(whole, limit)", "return whole", "The gradients are to be clipped."),
}

# %% [markdown]
# ## 6. A training that stops early and keeps the wrong weights
#
# A linear model `x @ w` is trained by momentum; after each step it is tested on validation pictures, and it ends when
# the validation loss has not improved for `patience` steps. The weights of the best step are to be returned, with their
# validation loss and the number of that step. It runs, it stops at the right moment, loss and number are right. Yet the
# weights that come back do not have that loss.

# %% answer="best_weights" kind="debug" bug="same_array"
def best_weights(w, train, validation, lr, beta, patience):
    """The weights with the lowest validation loss (a mean of squares), that loss, and the number of their step, from 1.

    (D,), ((N, D), (N,)), ((M, D), (M,)), number, number, number -> (D,), number, number
    """
    # solution: `best = w` keeps no copy: the next step changes the same array. Keep `w.copy()`
    w, v = w.copy(), np.zeros_like(w)
    best, lowest, found, t = w, math.inf, 0, 0
    while t - found < patience:
        x, y = train
        v *= beta
        v += 2 * x.T @ (x @ w - y) / len(y)
        w -= lr * v
        t += 1
        x, y = validation
        loss = ((x @ w - y) ** 2).mean()
        if loss < lowest:
            best, lowest, found = w.copy(), loss, t
    return best, lowest, found
    # end

# %% check="best_weights" points=15
SEED = 5
rng = np.random.default_rng(SEED)
x, truth = rng.normal(size=(40, 12)), rng.normal(size=12)
y = x @ truth + 2 * rng.normal(size=40)
train, validation = (x[:14], y[:14]), (x[14:], y[14:])
w, loss, t = best_weights(np.zeros(12), train, validation, 0.02, 0.9, 12)
slow, slow_loss, slow_t = best_weights(np.ones(12), train, validation, 0.01, 0.5, 30)
show(w=w, loss=loss, t=t, slow=slow, slow_loss=slow_loss, slow_t=slow_t)

# %% [markdown] hint="best_weights"
# Compute the validation loss of the weights that come back, and compare it with `lowest`. Of which step are these
# weights?

# %% [markdown] hint="best_weights"
# `w -= lr * v` changes an array in place. Who else holds this array?

# %% mutants="best_weights"
MUTANTS = {
    "same_array": ("best, lowest, found = w.copy(), loss, t", "best, lowest, found = w, loss, t",
                   "best is another name of w, which the next steps change in place: keep a copy."),
    "counted_from_zero": ("return best, lowest, found", "return best, lowest, found - 1",
                          "Steps are counted from 1. That was not the mistake."),
    "patience_counts_all": ("while t - found < patience:", "while t < patience:",
                            "Patience counts the steps since the best one. That was not the mistake."),
    "chosen_by_training": ("        x, y = validation\n", "",
                           "The validation pictures choose: the training loss always falls."),
    "not_gathered": ("v *= beta", "v *= 0", "Momentum was right as it stood."),
}

# %% [markdown]
# ## 7. How large may a step be?
#
# $L = \tfrac12 (w_1^2 + 5\, w_2^2 + 40\, w_3^2)$, from $w = (1, 1, 1)$. **Predict first**, on paper, with section 4 of
# the lesson. Then measure, with loops. A run converges if all $|w_i|$ are below 0.001 after 5,000 steps.

# %% answer="step_limits" kind="measure"
def step_limits():
    """{"sgd": ..., "momentum": ..., "steps": ..., "noise": ...}, whole numbers.

    sgd: the largest number of thousandths, such as 7 for the rate 0.007, with which SGD converges.
    momentum: the same with momentum, beta = 0.8.
    steps: after how many steps of SGD, with the rate 2 / 41, are all |w_i| below 0.01 for the first time?
    noise: w <- w - 0.2 (w + normal noise of deviation 1), without end: the deviation of w, in hundredths.
    """
    # solution: below 2 / 40 and 2 (1 + beta) / 40; the factor is 39 / 41 for the flattest and the steepest direction,
    # so ln 100 / ln(41 / 39) steps; the variance is lr / (2 - lr), its root in hundredths; measure with loops
    curvature = np.array([1.0, 5.0, 40.0])

    def largest(beta):
        lr = np.arange(1, 120)[:, None] / 1000  # (rates, 1)
        w, v = np.ones((119, 3)), np.zeros((119, 3))
        for _ in range(5000):
            v = beta * v + curvature * w
            w = np.clip(w - lr * v, -1e6, 1e6)  # what diverges stays a number
        return np.flatnonzero(np.abs(w).max(axis=1) < 1e-3)[-1] + 1

    w, steps = np.ones(3), 0
    while np.abs(w).max() >= 0.01:
        w, steps = w - 2 / 41 * curvature * w, steps + 1
    found = {"sgd": largest(0.0), "momentum": largest(0.8), "steps": steps, "noise": 100 * math.sqrt(0.2 / 1.8)}
    return {name: round(float(value)) for name, value in found.items()}
    # end

# %% check="step_limits" points=20
show(**step_limits())

# %% [markdown] reasons="step_limits"
# your prediction and your measurement of each of the four numbers; which direction sets the limit and which needs the
# most steps; why momentum allows a larger rate; what a smaller rate would do to the noise, and what it would cost.

# %% [markdown] hint="step_limits"
# Each direction goes its own way: SGD multiplies w_i by 1 - lr times its curvature. Which of the three factors is the
# first to leave the interval from -1 to 1?

# %% [markdown] hint="step_limits"
# At 2 / 41 two of the three factors are equal but for their sign. At the limit itself nothing converges: the answer is
# one thousandth below.

# %% mutants="step_limits"
MUTANTS = {
    "at_the_limit": ('"sgd": largest(0.0), "momentum": largest(0.8)', '"sgd": 50, "momentum": 90',
                     "At the limit itself w neither grows nor shrinks: it does not converge."),
    "momentum_as_sgd": ('"momentum": largest(0.8)', '"momentum": largest(0.0)',
                        "With momentum the limit is 2 (1 + beta) over the curvature: larger."),
    "momentum_smaller": ('"momentum": largest(0.8)', '"momentum": 9',
                         "Gathered gradients change sign in the steep direction and cancel: the limit grows."),
    "flat_sets_the_limit": ('"sgd": largest(0.0)', '"sgd": 1999', "The steepest direction sets the limit."),
    "natural_logarithm": ("max() >= 0.01", "max() >= 0.368", "Below one hundredth, not below 1 / e."),
    "variance": ("100 * math.sqrt(0.2 / 1.8)", "100 * 0.2 / 1.8", "That is the variance: the deviation is its root."),
}

# %% [markdown]
# ## 8. Five rates, five curves
#
# Noisy descent on a loss with curvatures from 0.02 to 1, five times: a *low* constant rate (0.02), a *middle* one
# (0.3), a *high* one (1.7), one that is *too high* (2.02), and a *cosine* that begins at 1.7 and ends at 0. Nobody has
# written down which letter is which.

# %% figure="the loss of five runs over 300 steps, on a logarithmic axis"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
RATES = (lambda p: 0.02, lambda p: 0.3, lambda p: 1.7, lambda p: 2.02, lambda p: 0.85 * (1 + math.cos(math.pi * p)))
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
curvature, rng = np.geomspace(0.02, 1, 20), np.random.default_rng(0)
figure, axis = plt.subplots(figsize=(8, 4.4))
for letter, which, line in zip("ABCDE", np.random.default_rng(4).permutation(5), LINES, strict=True):
    w, losses = np.ones((200, 20)), []
    for step in range(300):
        losses.append((curvature * w ** 2).sum(axis=1).mean() / 2)
        w = w - RATES[which](step / 299) * (curvature * w + 0.1 * rng.normal(size=w.shape))
    axis.semilogy(losses, linestyle=line, label=f"run {letter}")
axis.set(xlabel="step", ylabel="loss, mean of 200 runs", title="Five rates on one noisy loss", ylim=(0.005, 50))
axis.legend(ncols=5, fontsize=9)
plt.show()

# %% answer="read_rates" kind="read"
def read_rates():
    """{"low": ..., "middle": ..., "high": ..., "too_high": ..., "cosine": ...}: a letter "A" to "E" each"""
    # solution: too high grows without end; low is still on its way down; high stays on a plateau far up, middle on one
    # far below; the cosine begins like high and is the lowest at the end
    return {"low": "C", "middle": "D", "high": "A", "too_high": "E", "cosine": "B"}
    # end

# %% check="read_rates" points=10
show(**read_rates())

# %% [markdown] hint="read_rates"
# Section 5 of the lesson: where nothing changes any more, a larger rate dances more.

# %% [markdown] hint="read_rates"
# Look at the end first. One is rising, one is still falling slowly, one is falling fast.

# %% mutants="read_rates"
MUTANTS = {
    "low_for_high": ('"low": "C", "middle": "D", "high": "A"', '"low": "A", "middle": "D", "high": "C"',
                     "A low rate is slow to begin with; a high one is quick, and then stays far up, where it dances."),
    "middle_for_cosine": ('"middle": "D", "high": "A", "too_high": "E", "cosine": "B"',
                          '"middle": "B", "high": "A", "too_high": "E", "cosine": "D"',
                          "The cosine begins like the high rate, and its loss falls to the end, as its rate does."),
    "high_for_cosine": ('"high": "A", "too_high": "E", "cosine": "B"', '"high": "B", "too_high": "E", "cosine": "A"',
                        "A constant rate comes to a plateau; only a falling one leaves it."),
    "high_for_too_high": ('"high": "A", "too_high": "E"', '"high": "E", "too_high": "A"',
                          "Above 2 over the steepest curvature the loss grows without end."),
}
