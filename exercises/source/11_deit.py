# %% [markdown] minutes="estimated 55"
# # Exercise 11: learning from a teacher
#
# The soft loss with its backward pass; the hard loss with smoothed targets, and what a single token makes of two
# teachers; an epoch with a mistake; a prediction about predictions; and four runs of which three went wrong. All in
# plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, N, K | pictures in a batch, pictures in all, classes |
# | z | logits (B, K): `student`, `class_logits`, `distilled`; those of the `teacher` |
# | t | `labels` (B,) |
# | T | temperature |
# | p, r | probabilities of the teacher, of the student |
# | $\lambda$ | weight of the teacher's part of the loss: `weight` |
#
# All losses are means over the B pictures.

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Log-softmax at a temperature
#
# Where a probability underflows to 0, the logarithm of a softmax fails; this one does not.

# %% answer="log_softmax" kind="retype"
def log_softmax(z, T=1.0):
    """z_k / T - log sum_j exp(z_j / T).    (..., K) -> (..., K)"""
    # solution: divide by T, subtract the largest entry of each row, then the logarithm of the sum of exponentials
    z = z / T
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    # end

# %% check="log_softmax" points=10
SEED = 11
rng = np.random.default_rng(SEED)
z = rng.normal(0, 3, size=(4, 4))
show(cold=log_softmax(z), warm=log_softmax(z, 4.0), large=log_softmax(np.array([[1000.0, 0.0, -1000.0]])))

# %% [markdown] hint="log_softmax"
# Adding the same number to all logits of a picture changes none of its probabilities. Which number makes all
# exponentials harmless?

# %% [markdown] hint="log_softmax"
# After the largest entry is subtracted, the sum of exponentials is at least 1: its logarithm is harmless. Never form
# the probability itself.

# %% mutants="log_softmax"
MUTANTS = {
    "log_of_softmax": ("z - np.log(np.exp(z).sum(axis=-1, keepdims=True))",
                       "np.log(np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True))",
                       "A probability that underflows to zero has the logarithm minus infinity. Stay with logarithms."),
    "no_maximum": ("z - z.max(axis=-1, keepdims=True)", "z",
                   "exp(1000) is infinite: subtract the largest entry first."),
    "no_temperature": ("z / T", "z", "The logits are divided by the temperature first."),
    "times_temperature": ("z / T", "z * T", "Divide by the temperature: a high one makes probabilities more equal."),
    "divided_twice": ("return z - np.log", "return z / T - np.log", "z has been divided by T already."),
    "wrong_axis": (".sum(axis=-1, keepdims=True)", ".sum(axis=0, keepdims=True)",
                   "The probabilities of a picture add up to one: sum over the classes."),
}

# %% [markdown]
# ## 2. The soft loss
#
# How far is the student's whole distribution from the teacher's, both at temperature T?

# %% answer="soft_loss" kind="retype"
def soft_loss(student, teacher, T):
    """T^2 times the mean over the pictures of KL(teacher || student).    (B, K), (B, K), number -> number"""
    # solution: log-probabilities of both at T; the teacher's probabilities times the difference of the logarithms,
    # teacher's minus student's, summed over the classes; the mean over the pictures; times T ** 2
    log_p, log_r = log_softmax(teacher, T), log_softmax(student, T)
    return T ** 2 * (np.exp(log_p) * (log_p - log_r)).sum(axis=-1).mean()
    # end

# %% check="soft_loss" points=10
SEED = 11
rng = np.random.default_rng(SEED)
student, teacher = rng.normal(0, 2, size=(2, 5, 4))
show(loss=soft_loss(student, teacher, 3.0), cold=soft_loss(student, teacher, 1.0),
     equal=soft_loss(student, student, 2.0))

# %% [markdown] hint="soft_loss"
# Try the numbers of the lesson's section 2: 1.329 at T = 2. And a student who agrees with the teacher has the loss 0.

# %% [markdown] hint="soft_loss"
# The first distribution of KL, the one that weights, is the teacher's. The sum is over classes, the mean over pictures.

# %% mutants="soft_loss"
MUTANTS = {
    "reversed": ("log_softmax(teacher, T), log_softmax(student, T)", "log_softmax(student, T), log_softmax(teacher, T)",
                 "This is KL(student || teacher). The teacher's probabilities are the weights."),
    "no_square": ("T ** 2 *", "1.0 *", "The factor T squared is missing."),
    "teacher_on_both_sides": ("log_softmax(student, T)", "log_softmax(teacher, T)",
                              "The teacher's logits are on both sides: this is zero for every student."),
    "cold_student": ("log_softmax(student, T)", "log_softmax(student)",
                     "The student has the same temperature as the teacher."),
    "mean_of_all": (".sum(axis=-1).mean()", ".mean()", "Sum over the classes, mean over the pictures."),
    "cross_entropy": ("(log_p - log_r)", "-log_r", "This is the cross-entropy: KL also has the teacher's own term."),
}

# %% [markdown]
# ## 3. The soft loss, backward
#
# The teacher is a constant.

# %% answer="soft_loss_backward" kind="retype" formula=true
def soft_loss_backward(student, teacher, T):
    """dz of soft_loss(student, teacher, T) for the student's z.    (B, K), (B, K), number -> (B, K)"""
    # solution: T (r - p) / B, with both probabilities at temperature T, `np.exp(log_softmax(..., T))`
    difference = np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))
    return T * difference / len(student)
    # end

# %% check="soft_loss_backward" points=10
SEED = 11
rng = np.random.default_rng(SEED)
student, teacher = rng.normal(0, 2, size=(2, 5, 4))
many = soft_loss_backward(*rng.normal(size=(2, 3000, 30)).astype(np.float32), 2.0)
show(gradient=soft_loss_backward(student, teacher, 3.0), cold=soft_loss_backward(student, teacher, 1.0),
     many=3000 * np.asarray(many)[::600, ::6])

# %% [markdown] hint="soft_loss_backward"
# Every row adds up to 0, and a step against the gradient brings the student nearer. Does yours?

# %% [markdown] hint="soft_loss_backward"
# One factor 1 / T comes from the division of the logits by T. What remains of T squared? And what of the mean?

# %% mutants="soft_loss_backward"
MUTANTS = {
    "square_left": ("T * difference", "T ** 2 * difference",
                    "The derivative of z / T contributes 1 / T: of T squared, T remains."),
    "no_temperature": ("return T * difference", "return difference", "One factor T remains of T squared times 1 / T."),
    "sign": ("np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))",
             "np.exp(log_softmax(teacher, T)) - np.exp(log_softmax(student, T))",
             "The sign: student minus teacher. Going against the gradient must bring the student closer."),
    "no_mean": (" / len(student)", "", "The loss is a mean over the pictures: divide by B."),
    "logits": ("np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))", "(student - teacher) / T",
               "The difference is one of probabilities, not of logits."),
}

# %% [markdown]
# ## 4. The hard loss with smoothed targets, backward
#
# The paper also tries its hard loss with *label smoothing*: instead of 1 for the target class and 0 for the others, the
# target has the probability $1 - \epsilon$, and $\epsilon$ is shared equally among the *other* classes. It is done for
# both heads, the label's and the teacher's. What is the gradient of the hard loss now? (Cross-entropy with a target
# distribution is $-\sum_k \mathrm{target}_k \log r_k$; each head counts half.)

# %% answer="hard_loss_backward" kind="transfer" formula=true
def hard_loss_backward(class_logits, distilled, teacher, labels, smoothing):
    """dz of the class logits, and of the distilled logits.    3 x (B, K), (B,), number -> (B, K), (B, K)"""
    # solution: for each head: probabilities minus target, over 2 B; the target is smoothing / (K - 1) everywhere and
    # 1 - smoothing at the label, for the distilled logits at the teacher's largest logit
    def half(z, right):
        B, K = z.shape
        target = np.full((B, K), smoothing / (K - 1))
        target[np.arange(B), right] = 1 - smoothing
        return (np.exp(log_softmax(z)) - target) / (2 * B)

    return half(class_logits, labels), half(distilled, teacher.argmax(axis=-1))
    # end

# %% check="hard_loss_backward" points=20
SEED = 11
rng = np.random.default_rng(SEED)
class_logits, distilled, teacher = rng.normal(0, 2, size=(3, 6, 6))
labels = rng.integers(0, 6, size=6)
dclass, ddistilled = hard_loss_backward(class_logits, distilled, teacher, labels, 0.1)
sharp, _ = hard_loss_backward(class_logits, distilled, teacher, labels, 0.0)
many, _ = hard_loss_backward(*rng.normal(size=(3, 3000, 30)).astype(np.float32), rng.integers(0, 30, size=3000), 0.1)
show(dclass=dclass, ddistilled=ddistilled, sharp=sharp, many=3000 * np.asarray(many)[::600, ::6])

# %% [markdown] hint="hard_loss_backward"
# The lesson's derivation for p holds for every target whose classes add up to 1. What is the target here?

# %% [markdown] hint="hard_loss_backward"
# Make the target as an array (B, K): first what every wrong class gets, then the right one, row by row.

# %% mutants="hard_loss_backward"
MUTANTS = {
    "shared_by_all": ("smoothing / (K - 1)", "smoothing / K",
                      "The other classes are K - 1: the target must add up to 1."),
    "added": ("= 1 - smoothing", "+= 1 - smoothing", "The right class gets 1 - epsilon, and no share of epsilon."),
    "not_smoothed": ("= 1 - smoothing", "= 1",
                     "The target must add up to 1: what the others get, the right one loses."),
    "labels_twice": ("half(distilled, teacher.argmax(axis=-1))", "half(distilled, labels)",
                     "The distilled logits have the teacher's decision as their target."),
    "not_halved": ("(2 * B)", "B", "Each of the two heads counts half."),
    "no_mean": (" / (2 * B)", " / 2", "The loss is a mean over the pictures: divide by B."),
    "soft_teacher": ("half(distilled, teacher.argmax(axis=-1))",
                     "(np.exp(log_softmax(distilled)) - np.exp(log_softmax(teacher))) / (2 * len(labels))",
                     "This copies the teacher's doubts; the hard loss has its decision."),
}

# %% [markdown]
# ## 5. One token, two masters
#
# Section 6 of the lesson says that one token with two targets can only compromise. Which compromise? Its loss is
# $(1 - \lambda)\, \mathrm{CE}(z, t) + \lambda\, \mathrm{KL}(p \| r)$ at T = 1. Training ends where the gradient is
# zero: give the probabilities r that the token then has.

# %% answer="compromise" kind="transfer"
def compromise(teacher, labels, weight):
    """The probabilities r at which the loss is smallest.    (B, K), (B,), number -> (B, K)"""
    # solution: (1 - weight)(r - onehot) + weight (r - p) = 0, so r = (1 - weight) onehot + weight p, with p the
    # teacher's softmax at T = 1
    p = np.exp(log_softmax(teacher))  # (B, K)
    onehot = np.eye(teacher.shape[-1])[labels]  # (B, K)
    return (1 - weight) * onehot + weight * p
    # end

# %% check="compromise" points=15
SEED = 11
rng = np.random.default_rng(SEED)
teacher, labels = rng.normal(0, 2, size=(4, 6)), rng.integers(0, 6, size=4)
show(r=compromise(teacher, labels, 0.3), teacher_only=compromise(teacher, labels, 1.0),
     label_only=compromise(teacher, labels, 0.0))

# %% [markdown] hint="compromise"
# Write down the gradient with respect to z: the lesson has both parts. Both contain r.

# %% [markdown] hint="compromise"
# $(1 - \lambda)(r - \mathrm{onehot}) + \lambda\,(r - p) = 0$. Collect r.

# %% mutants="compromise"
MUTANTS = {
    "exchanged": ("(1 - weight) * onehot + weight * p", "weight * onehot + (1 - weight) * p",
                  "`weight` is that of the teacher's part."),
    "decision": ("np.exp(log_softmax(teacher))", "np.eye(teacher.shape[-1])[teacher.argmax(axis=-1)]",
                 "This takes the teacher's decision; the KL has all its probabilities."),
    "logits": ("(1 - weight) * onehot + weight * p",
               "np.exp(log_softmax((1 - weight) * onehot + weight * teacher))",
               "The mean is one of probabilities: the gradient holds r, p and the one-hot label, no logits."),
    "label_only": ("(1 - weight) * onehot + weight * p", "onehot", "Both parts of the loss pull."),
    "sum": ("(1 - weight) * onehot + weight * p", "onehot + weight * p", "Probabilities add up to 1."),
}

# %% [markdown]
# ## 6. The second epoch
#
# The lesson asks the teacher once and stores its answers. This function lists what the two heads are to learn, epoch by
# epoch, each in an order of its own. In the first epoch all is well. At the start of the second, the loss of the
# distillation head jumps, and stays high; the class head learns on.

# %% answer="targets" kind="debug" bug="in_place"
def targets(labels, answers, orders):
    """The label, and the teacher's decision, for the picture orders[e, i] that is seen at step i of epoch e.

    (N,), (N, K), (epochs, N) -> (epochs, N, 2)
    """
    # solution: the sorted answers of an epoch need a name of their own; `answers` must stay as it was stored
    found = []
    for order in orders:
        taught = answers[order]  # (N, K)
        found.append(np.stack([labels[order], taught.argmax(axis=-1)], axis=-1))  # (N, 2)
    return np.stack(found)
    # end

# %% check="targets" points=15
SEED = 11
rng = np.random.default_rng(SEED)
orders = np.stack([rng.permutation(40) for _ in range(3)])
show(targets=targets(rng.integers(0, 10, size=40), rng.normal(size=(40, 10)), orders))

# %% [markdown] hint="targets"
# Three pictures, two epochs, both in the order 1 2 0. Follow picture 0: where are its label and its answer each time?

# %% [markdown] hint="targets"
# What does each of the two arrays hold when the loop begins its second round?

# %% mutants="targets"
MUTANTS = {
    "in_place": ("        taught = answers[order]  # (N, K)\n"
                 "        found.append(np.stack([labels[order], taught.argmax(axis=-1)], axis=-1))",
                 "        answers = answers[order]  # (N, K)\n"
                 "        found.append(np.stack([labels[order], answers.argmax(axis=-1)], axis=-1))",
                 "The stored answers are shuffled again in every epoch, on top of the epoch before."),
    "never_sorted": ("taught = answers[order]", "taught = answers",
                     "Then the answers belong to other pictures from the first epoch on."),
    "way_back": ("taught = answers[order]", "taught = answers[np.argsort(order)]",
                 "order says which picture is seen at each step: it is the index itself."),
    "both_in_place": ("        taught = answers[order]  # (N, K)\n"
                      "        found.append(np.stack([labels[order], taught.argmax(axis=-1)], axis=-1))",
                      "        labels, answers = labels[order], answers[order]\n"
                      "        found.append(np.stack([labels, answers.argmax(axis=-1)], axis=-1))",
                      "Now label and answer belong together, but to another picture than that of the step."),
    "first_epoch_only": ("for order in orders:", "for order in [orders[0]] * len(orders):",
                         "Every epoch has an order of its own."),
}

# %% [markdown]
# ## 7. A loud head and a quiet one
#
# At test time both heads are heard: the library takes the class with the largest mean of the *logits*, the paper that
# with the largest mean of the *probabilities*. Here are 20,000 pictures; the logits of the class head are four times as
# large as those of the distillation head, and the two know nothing of each other. **Predict first**: with which of the
# two means does the loud head get its way more often? Then measure, in whole percent of the pictures.

# %%
rng = np.random.default_rng(11)
loud, quiet = 4 * rng.normal(size=(20_000, 10)), rng.normal(size=(20_000, 10))  # (pictures, K) each

# %% answer="deciding" kind="measure"
def deciding():
    """{"differ": ..., "logits": ..., "probabilities": ...}, whole percents.

    differ: the two means decide differently. logits, probabilities: the mean decides as the loud head alone does.
    """
    # solution: argmax of loud + quiet, and of the sum of their softmaxes; compare the two, and each with loud.argmax
    by_logits = (loud + quiet).argmax(axis=-1)
    by_probabilities = (np.exp(log_softmax(loud)) + np.exp(log_softmax(quiet))).argmax(axis=-1)
    alone = loud.argmax(axis=-1)
    shares = {"differ": by_logits != by_probabilities, "logits": by_logits == alone,
              "probabilities": by_probabilities == alone}
    return {name: round(100 * float(share.mean())) for name, share in shares.items()}
    # end

# %% check="deciding" points=10
show(**deciding())

# %% [markdown] reasons="deciding"
# your prediction and your three numbers; what "loud" means for the probabilities of that head; an example of two
# classes and two heads for which the two means decide differently, with its numbers.

# %% [markdown] hint="deciding"
# Think of one picture and two of its classes: the loud head says 0.7 and 0.3, the quiet one 0.05 and 0.3. Which class
# has the larger sum of probabilities? Which has the larger product, that is, the larger sum of logits?

# %% [markdown] hint="deciding"
# Three arrays of 20,000 decisions are all that is needed: of both means, and of the loud head alone.

# %% mutants="deciding"
MUTANTS = {
    "exchanged": ('"logits": by_logits == alone,\n              "probabilities": by_probabilities == alone',
                  '"logits": by_probabilities == alone,\n              "probabilities": by_logits == alone',
                  "The two are exchanged."),
    "fractions": ("round(100 * float(share.mean()))", "round(float(share.mean()))", "In percent."),
    "same": ('"differ": by_logits != by_probabilities', '"differ": by_logits == by_probabilities',
             "That is how often they agree."),
    "product": ("np.exp(log_softmax(loud)) + np.exp(log_softmax(quiet))",
                "np.exp(log_softmax(loud)) * np.exp(log_softmax(quiet))",
                "Multiplied probabilities are added logits: the mean is a sum."),
    "against_quiet": ("alone = loud.argmax", "alone = quiet.argmax", "As the loud head alone decides."),
}

# %% [markdown]
# ## 8. Four runs
#
# Logits of 50 pictures walk against the gradient of the soft loss at T = 3, as in section 8 of the lesson. One run is
# *right*; one has the teacher on both sides (*twice*); one has lost the factor $T^2$ (*no_square*); and one has a wrong
# sign in its loss (*sign*). Left is what each program prints as its loss, right how far its student really is from the
# teacher.

# %% figure="left the printed loss, right the true divergence, over 300 steps, for four runs"
import matplotlib.pyplot as plt

from minivit import Tensor, grad, viz
from minivit.tasks.distil import soft_distillation

viz.style()
rng = np.random.default_rng(11)
teacher, labels = Tensor(rng.normal(0, 3, size=(50, 10))), rng.integers(10, size=50)


def divergence(z, distilled):
    return soft_distillation(z, distilled, teacher, labels, temperature=3.0, weight=1.0)


RUNS = (lambda z: divergence(z, z), lambda z: divergence(z, teacher + 0 * z), lambda z: divergence(z, z) / 9,
        lambda z: -divergence(z, z))
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
start = rng.normal(size=(50, 10))
for letter, run, line in zip("ABCD", rng.permutation(4), ("-", "--", ":", "-."), strict=True):
    z, printed, true = Tensor(start, requires_grad=True), [], []
    for _ in range(300):
        loss = RUNS[run](z)
        printed.append(loss.item())
        true.append(divergence(z, z).item())
        z = Tensor(z.data - 5 * grad(loss, [z])[0], requires_grad=True)
    axes[0].plot(range(300), printed, line, label=f"run {letter}")
    axes[1].loglog(range(1, 301), true, line, label=f"run {letter}")
axes[0].set(xlabel="step", ylabel="printed loss", ylim=(-10, 5), title="What the programs print")
axes[1].set(xlabel="step", ylabel="$T^2$ KL", title="How far the students are from the teacher")
axes[1].grid(which="both", alpha=0.3)
axes[0].legend()
plt.show()

# %% answer="read_runs" kind="read"
def read_runs():
    """{"right": ..., "twice": ..., "no_square": ..., "sign": ..., "times": ...}

    The first four: a letter "A" to "D" each. The last, a whole number: how many times as many steps does the run
    without T^2 need to come as near as the right one?
    """
    # solution: with the teacher on both sides the printed loss is 0 and nothing moves; with the wrong sign the printed
    # loss falls and the student walks away; without T^2 = 9 each step is a ninth as long, so it takes 9 times as many
    return {"right": "C", "twice": "D", "no_square": "A", "sign": "B", "times": 9}
    # end

# %% check="read_runs" points=10
show(**read_runs())

# %% [markdown] hint="read_runs"
# Which program would please its author most, judged by the left panel alone? Look for it in the right one.

# %% [markdown] hint="read_runs"
# On a logarithmic axis, a run that is slower by a factor is the same curve, moved to the right. By which factor are its
# gradients smaller?

# %% mutants="read_runs"
MUTANTS = {
    "lowest_loss": ('"right": "C", "twice": "D", "no_square": "A", "sign": "B"',
                    '"right": "B", "twice": "D", "no_square": "A", "sign": "C"',
                    "The lowest printed loss belongs to the student that walks away from the teacher."),
    "zero_is_right": ('"right": "C", "twice": "D"', '"right": "D", "twice": "C"',
                      "A loss of exactly 0 from the first step is that of a teacher with itself: nothing moves."),
    "slow_is_right": ('"right": "C", "twice": "D", "no_square": "A"', '"right": "A", "twice": "D", "no_square": "C"',
                      "The run without T^2 is the slow one."),
    "root": ('"times": 9', '"times": 3', "The factor that is missing is T squared, not T."),
}
