# %% [markdown] minutes="estimated 60"
# # Exercise 11: learning from a teacher
#
# DeiT (Touvron et al. 2021) gives a Vision Transformer a second token and lets it learn from a trained CNN: from
# all of the teacher's probabilities (soft), or from its decision alone (hard). Losses and gradients in plain NumPy.
#
# | symbol | meaning |
# |---|---|
# | B, K | pictures, classes |
# | student | the student's logits (B, K), teacher: the teacher's |
# | T | temperature |
#
# All losses are means over the batch. (The official code divides the soft loss by B K instead of B.)

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Log-softmax at a temperature
#
# $\log p_i = z_i / T - \log \sum_j e^{z_j / T}$: a higher temperature makes the probabilities more equal. Taking
# the logarithm of a softmax fails where a probability underflows to zero; subtract the largest entry, and take
# the logarithm of the sum only.

# %% answer="log_softmax" kind="retype"
def log_softmax(z, T=1.0):
    """z_i / T - log sum_j exp(z_j / T) over the last axis.    (B, K) -> (B, K)"""
    # solution: divide by T, subtract the largest entry, then the logarithm of the sum of exponentials
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
# After the largest entry is subtracted, the sum of exponentials is at least 1: its logarithm is harmless.

# %% mutants="log_softmax"
MUTANTS = {
    "log_of_softmax": ("z - np.log(np.exp(z).sum(axis=-1, keepdims=True))",
                       "np.log(np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True))",
                       "A probability that underflows to zero has the logarithm minus infinity. Stay with logarithms."),
    "no_maximum": ("z - z.max(axis=-1, keepdims=True)", "z",
                   "exp(1000) is infinite: subtract the largest entry first."),
    "no_temperature": ("z / T", "z", "The logits are divided by the temperature first."),
    "times_temperature": ("z / T", "z * T", "Divide by the temperature: a high one makes probabilities more equal."),
    "wrong_axis": (".sum(axis=-1, keepdims=True)", ".sum(axis=0, keepdims=True)",
                   "The probabilities of a picture add up to one: sum over the classes."),
}

# %% [markdown]
# ## 2. The soft loss
#
# $T^2 \, \mathrm{KL}(p^{teacher} \,\|\, p^{student})$ at temperature T, with $\mathrm{KL}(p \,\|\, q) = \sum_i
# p_i (\log p_i - \log q_i)$, mean over the batch. The factor $T^2$ keeps the gradient's size when T changes
# (Hinton et al. 2015).

# %% answer="soft_loss" kind="retype"
def soft_loss(student, teacher, T):
    """T^2 times the mean of KL(teacher || student), both at temperature T.    (B, K), (B, K) -> number"""
    # solution: both log-probabilities; teacher's probabilities times their difference, summed over classes; mean; T^2
    p, q = log_softmax(teacher, T), log_softmax(student, T)
    return T ** 2 * (np.exp(p) * (p - q)).sum(axis=-1).mean()
    # end

# %% check="soft_loss" points=20
SEED = 11
rng = np.random.default_rng(SEED)
student, teacher = rng.normal(0, 2, size=(2, 5, 4))
show(loss=soft_loss(student, teacher, 3.0), cold=soft_loss(student, teacher, 1.0),
     equal=soft_loss(student, student, 2.0))

# %% [markdown] hint="soft_loss"
# The first distribution of KL, the one that weights, is the teacher's.

# %% mutants="soft_loss"
MUTANTS = {
    "reversed": ("log_softmax(teacher, T), log_softmax(student, T)", "log_softmax(student, T), log_softmax(teacher, T)",
                 "This is KL(student || teacher). The teacher's probabilities are the weights."),
    "no_square": ("T ** 2 *", "1.0 *", "The factor T squared is missing."),
    "teacher_on_both_sides": ("log_softmax(student, T)", "log_softmax(teacher, T)",
                              "The teacher's logits are on both sides: this is zero for every student."),
    "cold_student": ("log_softmax(student, T)", "log_softmax(student)",
                     "The student has the same temperature as the teacher."),
    "mean_of_all": (".sum(axis=-1).mean()", ".mean()", "Sum over the classes, mean over the batch."),
    "cross_entropy": ("(p - q)", "-q", "This is the cross-entropy: KL also has the teacher's own term."),
}

# %% [markdown]
# ## 3. The soft loss, backward
#
# The teacher is a constant. With respect to the student's logits, $\partial\, \mathrm{KL} / \partial z_i = (q_i -
# p_i) / T$; together with $T^2$ and the mean over the batch.

# %% answer="soft_loss_backward" kind="retype" formula=true
def soft_loss_backward(student, teacher, T):
    """d soft_loss / d student.    (B, K), (B, K) -> (B, K)"""
    # solution: the difference of the probabilities at temperature T, times T^2 / T, over the batch
    difference = np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))
    return T * difference / len(student)
    # end

# %% check="soft_loss_backward" points=25
SEED = 11
rng = np.random.default_rng(SEED)
student, teacher = rng.normal(0, 2, size=(2, 5, 4))
many = soft_loss_backward(*rng.normal(size=(2, 3000, 30)).astype(np.float32), 2.0)
show(gradient=soft_loss_backward(student, teacher, 3.0), cold=soft_loss_backward(student, teacher, 1.0),
     many=3000 * np.asarray(many)[::600, ::6])

# %% [markdown] hint="soft_loss_backward"
# One factor 1 / T comes from the division of the logits by T. What remains of T squared?

# %% mutants="soft_loss_backward"
MUTANTS = {
    "square_left": ("T * difference", "T ** 2 * difference",
                    "The derivative of z / T contributes 1 / T: of T squared, T remains."),
    "no_temperature": ("return T * difference", "return difference", "One factor T remains of T squared times 1 / T."),
    "sign": ("np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))",
             "np.exp(log_softmax(teacher, T)) - np.exp(log_softmax(student, T))",
             "The sign: student minus teacher. Going against the gradient must bring the student closer."),
    "no_mean": (" / len(student)", "", "The loss is a mean over the batch: divide by B."),
    "logits": ("np.exp(log_softmax(student, T)) - np.exp(log_softmax(teacher, T))", "(student - teacher) / T",
               "The difference is one of probabilities, not of logits."),
}

# %% [markdown]
# ## 4. The hard loss
#
# The class token learns from the label, the distillation token from the teacher's decision $y_t = \arg\max_k
# z^{teacher}_k$: $\frac12 \mathrm{CE}(z^{class}, y) + \frac12 \mathrm{CE}(z^{distil}, y_t)$, with $\mathrm{CE}(z,
# y) = -\log p_y$ (eq. 3).

# %% answer="hard_loss" kind="retype"
def hard_loss(class_logits, distil_logits, teacher, labels):
    """Half the cross-entropy with the labels, half that with the teacher's decisions.    3 x (B, K), (B,) -> number"""
    # solution: log-probabilities of both; pick the label's and the teacher's largest; minus the mean of the halves
    rows = np.arange(len(labels))
    right = log_softmax(class_logits)[rows, labels]
    taught = log_softmax(distil_logits)[rows, teacher.argmax(axis=-1)]
    return -(right + taught).mean() / 2
    # end

# %% check="hard_loss" points=15
SEED = 11
rng = np.random.default_rng(SEED)
class_logits, distil_logits, teacher = rng.normal(0, 2, size=(3, 6, 6))
show(loss=hard_loss(class_logits, distil_logits, teacher, rng.integers(0, 6, size=6)))

# %% [markdown] hint="hard_loss"
# `log_p[np.arange(B), labels]` picks one entry of each row.

# %% mutants="hard_loss"
MUTANTS = {
    "exchanged": ("labels]\n    taught", "teacher.argmax(axis=-1)]\n    taught",
                  "The class token learns from the label."),
    "labels_twice": ("[rows, teacher.argmax(axis=-1)]", "[rows, labels]",
                     "The distillation token learns from the teacher."),
    "not_halved": (".mean() / 2", ".mean()", "Each of the two parts counts half."),
    "sign": ("-(right", "(right", "The loss is the negative log-probability."),
    "argmax_axis": ("argmax(axis=-1)", "argmax(axis=0)",
                    "The teacher decides for each picture: the largest of its row."),
}

# %% [markdown]
# ## 5. The hard loss, backward
#
# For the cross-entropy, $\partial / \partial z = (p - \mathrm{onehot}(y)) / B$; here with a half for each of the two.

# %% answer="hard_loss_backward" kind="retype" formula=true
def hard_loss_backward(class_logits, distil_logits, teacher, labels):
    """d hard_loss / d class_logits, and / d distil_logits.    3 x (B, K), (B,) -> (B, K), (B, K)"""
    # solution: for each: probabilities minus the one-hot target, over 2 B
    rows, count = np.arange(len(labels)), len(labels)
    dclass, ddistil = np.exp(log_softmax(class_logits)), np.exp(log_softmax(distil_logits))
    dclass[rows, labels] -= 1
    ddistil[rows, teacher.argmax(axis=-1)] -= 1
    return dclass / (2 * count), ddistil / (2 * count)
    # end

# %% check="hard_loss_backward" points=20
SEED = 11
rng = np.random.default_rng(SEED)
class_logits, distil_logits, teacher = rng.normal(0, 2, size=(3, 6, 6))
dclass, ddistil = hard_loss_backward(class_logits, distil_logits, teacher, rng.integers(0, 6, size=6))
many, _ = hard_loss_backward(*rng.normal(size=(3, 3000, 30)).astype(np.float32), rng.integers(0, 30, size=3000))
show(dclass=dclass, ddistil=ddistil, many=3000 * np.asarray(many)[::600, ::6])

# %% [markdown] hint="hard_loss_backward"
# Subtract 1 at the target of each row of the probabilities; every row of the result adds up to zero.

# %% mutants="hard_loss_backward"
MUTANTS = {
    "no_target": ("    dclass[rows, labels] -= 1\n", "", "The one-hot target is missing for the class token."),
    "not_halved": ("dclass / (2 * count)", "dclass / count",
                   "Each of the two parts counts half, in the gradient as well."),
    "no_mean": ("ddistil / (2 * count)", "ddistil / 2", "The loss is a mean over the batch: divide by B."),
    "labels_twice": ("ddistil[rows, teacher.argmax(axis=-1)]", "ddistil[rows, labels]",
                     "The distillation token's target is the teacher's decision."),
}

# %% [markdown]
# ## 6. Two opinions
#
# At test time both tokens are asked: the mean of their probabilities decides.

# %% answer="predict" kind="retype"
def predict(class_logits, distil_logits):
    """The class with the largest mean of both probabilities.    (B, K), (B, K) -> (B,) integers"""
    # solution: the largest entry of the sum of both softmaxes
    return (np.exp(log_softmax(class_logits)) + np.exp(log_softmax(distil_logits))).argmax(axis=-1)
    # end

# %% check="predict" points=10
SEED = 11
rng = np.random.default_rng(SEED)
show(classes=predict(rng.normal(0, 4, size=(200, 6)), rng.normal(0, 1, size=(200, 6))))

# %% [markdown] hint="predict"
# Probabilities, not logits: one confident token may not outvote the other without bound.

# %% mutants="predict"
MUTANTS = {
    "logits": ("(np.exp(log_softmax(class_logits)) + np.exp(log_softmax(distil_logits)))",
               "(class_logits + distil_logits)",
               "This adds logits (or multiplies probabilities, which comes to the same). The mean is one of "
               "probabilities."),
    "class_only": (" + np.exp(log_softmax(distil_logits))", "", "Both tokens are asked."),
    "argmax_axis": ("argmax(axis=-1)", "argmax(axis=0)", "One class for each picture: the largest of its row."),
}
