# %% [markdown] minutes="estimated 50"
# # Exercise 06: from tokens to an answer
#
# The class token and its positions, two things that people do with a Vision Transformer and that the lesson does not
# show, a whole model with a mistake in it, and what a table of positions tells about the model that learned it.
# All in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, N, D | pictures in a batch, patches of a picture, width of a token |
# | P, C, K | side of a patch, channels, classes |
# | c, E_pos | class token (D,), position embeddings (N + 1, D) |
# | E | linear map from a patch to a token, (P P C, D) |
# | q, a | learned query (D,), weights of attention pooling |
# | W_k, W_v | linear maps that make keys and values, (D, D) |
# | d | width of a head, D / `heads` |

# %%
import numpy as np

from minivit.grading.show import show


def patchify(images, P):
    """Patches in reading order.    (B, height, width, C) -> (B, N, P P C)"""
    B, height, width, C = images.shape
    x = images.reshape(B, height // P, P, width // P, P, C).transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, P, P, C)
    return x.reshape(B, -1, P * P * C)


def normalise(x):
    """A LayerNorm without scale and shift.    (..., D) -> (..., D)"""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)


def softmax(s, axis=-1):
    """Positive, and along the axis they add up to one."""
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

# %% [markdown]
# ## 1. A token in front
#
# The class token before the patches of every picture, and a position for each of the N + 1.

# %% answer="put_in_front" kind="retype"
def put_in_front(x, c, E_pos):
    """c, x[b, 0], ..., x[b, N - 1], plus E_pos.    (B, N, D), (D,), (N + 1, D) -> (B, N + 1, D)"""
    # solution: `np.broadcast_to(c, (B, 1, D))` is the token B times; join it with x along axis 1, and add E_pos
    B, N, D = x.shape
    return np.concatenate([np.broadcast_to(c, (B, 1, D)), x], axis=1) + E_pos
    # end

# %% check="put_in_front" points=10
SEED = 6
rng = np.random.default_rng(SEED)
show(tokens=put_in_front(rng.normal(size=(3, 4, 5)), rng.normal(size=5), rng.normal(size=(5, 5))))

# %% [markdown] hint="put_in_front"
# Two arrays are joined along the axis of the tokens. What shape must c have to be joined, and what E_pos to be
# added?

# %% [markdown] hint="put_in_front"
# c is needed B times, as an array (B, 1, D). E_pos needs nothing: (N + 1, D) meets the last two axes of
# (B, N + 1, D).

# %% mutants="put_in_front"
MUTANTS = {
    "at_the_end": ("[np.broadcast_to(c, (B, 1, D)), x]", "[x, np.broadcast_to(c, (B, 1, D))]",
                   "The class token comes first."),
    "no_positions": (" + E_pos", "", "The position embeddings are missing."),
    "no_position_for_it": ("return np.concatenate([np.broadcast_to(c, (B, 1, D)), x], axis=1) + E_pos",
                           "return np.concatenate([np.broadcast_to(c, (B, 1, D)), x + E_pos[1:]], axis=1)",
                           "The class token has a position embedding, too: the first."),
    "positions_shifted": ("+ E_pos", "+ np.roll(E_pos, -1, axis=0)",
                          "Position 0 is the class token's; the patches begin at position 1."),
}

# %% [markdown]
# ## 2. A token in front, backward
#
# One c and one E_pos serve all pictures.

# %% answer="put_in_front_backward" kind="retype" formula=true
def put_in_front_backward(dy):
    """dx, dc, dE_pos of put_in_front(x, c, E_pos).    (B, N + 1, D) -> (B, N, D), (D,), (N + 1, D)"""
    # solution: dy without its first token; the sum of its first token over the batch; the sum of dy over the batch
    return dy[:, 1:], dy[:, 0].sum(axis=0), dy.sum(axis=0)
    # end

# %% check="put_in_front_backward" points=15
SEED = 6
rng = np.random.default_rng(SEED)
dx, dc, dE_pos = put_in_front_backward(rng.normal(size=(3, 5, 5)))
many, _, many_dE_pos = put_in_front_backward(rng.normal(size=(400, 17, 16)).astype(np.float32))
show(dx=dx, dc=dc, dE_pos=dE_pos, many=np.asarray(many)[::100, ::5, ::5], many_dE_pos=many_dE_pos)

# %% [markdown] hint="put_in_front_backward"
# Which numbers of the result depend on c, which on E_pos, which on x?

# %% [markdown] hint="put_in_front_backward"
# What was copied B times on the way forward is summed over B on the way back.

# %% mutants="put_in_front_backward"
MUTANTS = {
    "mean": ("dy[:, 0].sum(axis=0)", "dy[:, 0].mean(axis=0)", "The gradients of the copies add up: a sum, not a mean."),
    "means": ("dy[:, 0].sum(axis=0), dy.sum(axis=0)", "dy[:, 0].mean(axis=0), dy.mean(axis=0)",
              "The gradients of the copies add up: sums, not means."),
    "last_token": ("dy[:, 1:], dy[:, 0]", "dy[:, :-1], dy[:, -1]", "The class token is the first."),
    "sum_over_tokens": ("dy[:, 0].sum(axis=0)", "dy.sum(axis=(0, 1))",
                        "The class token only receives what reaches its own place."),
    "positions_of_one": ("dy.sum(axis=0)", "dy[0]", "All pictures share the positions: sum over the batch."),
}

# %% [markdown]
# ## 3. Pooling with several heads
#
# The lesson's attention pooling has one head and no linear maps. The one of *Scaling Vision Transformers*
# (arXiv:2106.04560, section 3.2) has both: keys $x W_k$, values $x W_v$, and the D channels of q, keys and values are
# cut into heads of d channels that stand side by side, the first d for head 0. Each head has weights of its own, over
# all tokens, from scores over $\sqrt d$; what the heads find is joined again.

# %% answer="heads_pool" kind="transfer"
def heads_pool(x, q, W_k, W_v, heads):
    """For every head sum_n a_n v_n with a = softmax over n of k_n q / sqrt(d); heads side by side.

    (B, N, D), (D,), (D, D), (D, D), number -> (B, D)
    """
    # solution: reshape keys and values to (B, N, heads, d) and q to (heads, d); scores are the sum of keys times q over
    # the last axis, over sqrt(d): (B, N, heads); softmax over axis 1; weights with a new last axis times values, summed
    # over axis 1; reshape to (B, D)
    B, N, D = x.shape
    keys = (x @ W_k).reshape(B, N, heads, -1)  # (B, N, heads, d)
    values = (x @ W_v).reshape(B, N, heads, -1)
    scores = (keys * q.reshape(heads, -1)).sum(axis=-1) / np.sqrt(D // heads)  # (B, N, heads)
    a = softmax(scores, axis=1)
    return (a[..., None] * values).sum(axis=1).reshape(B, D)  # (B, heads, d) -> (B, D)
    # end

# %% check="heads_pool" points=20
SEED = 6
rng = np.random.default_rng(SEED)
x, q, (W_k, W_v) = rng.normal(size=(3, 5, 12)), rng.normal(size=12), rng.normal(size=(2, 12, 12))
show(three=heads_pool(x, q, W_k, W_v, 3), two=heads_pool(x, q, W_k, W_v, 2), one=heads_pool(x, q, W_k, W_v, 1))

# %% [markdown] hint="heads_pool"
# First with one head: then only the two linear maps are new. What changes if D is two axes, (heads, d)?

# %% [markdown] hint="heads_pool"
# The scores are (B, N, heads). Which of the three axes do the weights of one head add up to one along?

# %% mutants="heads_pool"
MUTANTS = {
    "root_of_D": ("np.sqrt(D // heads)", "np.sqrt(D)", "A score of a head is a sum of d products: divide by sqrt(d)."),
    "no_root": (" / np.sqrt(D // heads)", "", "The scores are divided by the root of d."),
    "over_heads": ("softmax(scores, axis=1)", "softmax(scores, axis=2)",
                   "The weights of a head add up to one over the tokens: axis 1."),
    "over_batch": ("softmax(scores, axis=1)", "softmax(scores, axis=0)",
                   "Pictures do not share weights: the softmax is over the tokens."),
    "same_weights": (".sum(axis=-1) / np.sqrt(D // heads)",
                     ".sum(axis=(-1, -2))[..., None] / np.sqrt(D // heads)",
                     "Each head has scores of its own: sum over its d channels only."),
    "interleaved": ("(x @ W_v).reshape(B, N, heads, -1)", "(x @ W_v).reshape(B, N, -1, heads).swapaxes(-1, -2)",
                    "A head has d channels that stand side by side: (heads, d), in this order."),
    "keys_for_values": ("(x @ W_v)", "(x @ W_k)", "The values have a matrix of their own."),
}

# %% [markdown]
# ## 4. More patches than positions
#
# A model has learned positions for a grid of patches. Now it is shown a larger picture, with `factor` times as many
# patches along each side. The simplest remedy: each place of the old grid serves the factor x factor new places that
# lie in it. (A smooth one is in exercise 02.) The class token's position is no place of the grid.

# %% answer="enlarge_positions" kind="transfer"
def enlarge_positions(E_pos, rows, columns, factor):
    """Positions for the finer grid.    (1 + rows columns, D) -> (1 + rows factor columns factor, D)"""
    # solution: keep E_pos[:1] apart; reshape E_pos[1:] to (rows, columns, D); `np.repeat` by factor along axis 0 and
    # along axis 1; reshape to (-1, D), and put E_pos[:1] in front
    grid = E_pos[1:].reshape(rows, columns, -1)  # (rows, columns, D)
    grid = np.repeat(np.repeat(grid, factor, axis=0), factor, axis=1)  # (rows factor, columns factor, D)
    return np.concatenate([E_pos[:1], grid.reshape(-1, E_pos.shape[1])])
    # end

# %% check="enlarge_positions" points=15
SEED = 6
rng = np.random.default_rng(SEED)
show(E_pos=enlarge_positions(rng.normal(size=(7, 3)), 2, 3, 2),
     three=enlarge_positions(rng.normal(size=(5, 5)), 4, 1, 3),
     square=enlarge_positions(rng.normal(size=(5, 2)), 2, 2, 2))

# %% [markdown] hint="enlarge_positions"
# Draw the old grid of 2 x 3 places with the numbers 1 to 6, and the new one of 4 x 6. Which numbers stand in its first
# row, and which in its second?

# %% [markdown] hint="enlarge_positions"
# As a list, the places know nothing of rows. Give the table the axes (rows, columns, D) first, without the class token.

# %% mutants="enlarge_positions"
MUTANTS = {
    "tiled": ("np.repeat(np.repeat(grid, factor, axis=0), factor, axis=1)", "np.tile(grid, (factor, factor, 1))",
              "This puts copies of the whole grid side by side: each place must be enlarged where it is."),
    "as_a_list": ("np.repeat(np.repeat(grid, factor, axis=0), factor, axis=1)",
                  "np.repeat(E_pos[1:], factor ** 2, axis=0)",
                  "Repeated as a list, a place covers a piece of one row: the grid has two axes."),
    "grid_turned": ("E_pos[1:].reshape(rows, columns, -1)", "E_pos[1:].reshape(columns, rows, -1)",
                    "The places stand in reading order: rows first."),
    "class_token_lost": ("np.concatenate([E_pos[:1], grid.reshape(-1, E_pos.shape[1])])",
                         "grid.reshape(-1, E_pos.shape[1])",
                         "The class token's position comes first, as before."),
    "class_token_last": ("[E_pos[:1], grid.reshape(-1, E_pos.shape[1])]",
                         "[grid.reshape(-1, E_pos.shape[1]), E_pos[:1]]",
                         "The class token's position comes first, as before."),
    "class_token_in_the_grid": ("E_pos[1:].reshape(rows, columns, -1)", "E_pos[:-1].reshape(rows, columns, -1)",
                                "The first row of E_pos is the class token's, not a place of the grid."),
}

# %% [markdown]
# ## 5. The same logits for everybody
#
# A whole ViT with one head, no MLP and no biases. All shapes are right and no error is raised; but every picture,
# whatever it shows, gets the same logits.

# %% answer="vit" kind="debug" bug="tokens_first"
def vit(images, P, E, c, E_pos, blocks, head):
    """Logits.    (B, height, width, C) -> (B, K)

    E (P P C, D), c (D,), E_pos (N + 1, D); blocks: triples of (D, D), for queries, keys and values; head (D, K)
    """
    # solution: take away the two exchanges of axes 0 and 1, of queries, keys and values and of what comes back: with
    # (N + 1, B, D) the scores are (N + 1, B, B), pictures that look at pictures
    x = put_in_front(patchify(images, P) @ E, c, E_pos)  # (B, N + 1, D)
    for block in blocks:
        queries, keys, values = (normalise(x) @ weight for weight in block)
        scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
        x = x + softmax(scores) @ values
    return normalise(x[:, 0]) @ head
    # end

# %% check="vit" points=20
SEED = 6
rng = np.random.default_rng(SEED)
E, c, E_pos, head = rng.normal(size=(12, 5)), rng.normal(size=5), rng.normal(size=(7, 5)), rng.normal(size=(5, 3))
blocks = rng.normal(size=(2, 3, 5, 5))
show(logits=vit(rng.normal(size=(2, 4, 6, 3)), 2, E, c, E_pos, blocks, head))

# %% [markdown] hint="vit"
# From whom does the class token take values? Write the shape behind every line, for B = 2 and N + 1 = 7: between what
# are the scores?

# %% [markdown] hint="vit"
# A matrix product with `@` works on the last two axes, and does the same for each entry of the axes before. Which axis
# stands before, and which should?

# %% mutants="vit"
MUTANTS = {
    "tokens_first": ("        queries, keys, values = (normalise(x) @ weight for weight in block)\n"
                     "        scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])\n"
                     "        x = x + softmax(scores) @ values",
                     "        queries, keys, values = ((normalise(x) @ weight).swapaxes(0, 1) for weight in block)\n"
                     "        scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])\n"
                     "        x = x + (softmax(scores) @ values).swapaxes(0, 1)",
                     "The scores are between pictures, for each token: they must be between tokens, for each picture."),
    "over_queries": ("softmax(scores)", "softmax(scores, axis=-2)",
                     "The weights of a query add up to one over the keys: the last axis. That was right."),
    "not_normalised": ("(normalise(x) @ weight for", "(x @ weight for", "The blocks are pre-norm. That was right."),
    "no_path": ("x = x + softmax", "x = softmax", "The residual connection was right."),
    "mean": ("x[:, 0]", "x.mean(axis=1)", "The class token is read. That was right."),
    "first_block": ("in blocks:", "in blocks[:1]:", "All blocks, one after the other."),
}

# %% [markdown]
# ## 6. How many tokens does a query read?
#
# The lesson counts the places over which attention spreads: $e^{\text{entropy}}$ of the weights, 64 for a plain mean of
# 64 tokens, 1 for a single one. Here are 64 random tokens and a query. **Predict first**: over how many places do the
# weights of attention pooling (no linear maps, one head) spread for the query 0, for half of q, for twice q, and for q
# itself if somebody forgets to divide by $\sqrt D$? Then measure.

# %%
tokens = np.random.default_rng(6).normal(size=(64, 16))  # (N, D)
query = np.random.default_rng(60).normal(size=16)  # (D,)

# %% answer="places" kind="measure"
def places():
    """{"zero": ..., "half": ..., "double": ..., "no_root": ...}: places, rounded to whole numbers"""
    # solution: a = softmax(factor * tokens @ query / sqrt(16)) for the factors 0, 1/2 and 2; without the root the
    # factor is 4; the places are exp(-sum of a log a)
    def spread(factor):
        a = softmax(factor * tokens @ query / np.sqrt(len(query)))
        return round(float(np.exp(-(a * np.log(a + 1e-12)).sum())))

    return {"zero": spread(0), "half": spread(0.5), "double": spread(2), "no_root": spread(4)}
    # end

# %% check="places" points=10
show(**places())

# %% [markdown] reasons="places"
# your four predictions beside what you measured; what pooling is with a query of zero, and why; which query would do
# the same as forgetting the root; what it means for the scores' gradients if only a few places count.

# %% [markdown] hint="places"
# Without the root the scores are four times as large. Which query would have the same scores *with* the root?

# %% [markdown] hint="places"
# The lesson's line with `entropy` does it for whole maps; you need it for one row of 64 weights.

# %% mutants="places"
MUTANTS = {
    "entropy_itself": ("np.exp(-(a * np.log(a + 1e-12)).sum())", "-(a * np.log(a + 1e-12)).sum()",
                       "That is the entropy: the number of places is e to this power."),
    "no_root_at_all": ("/ np.sqrt(len(query))", "/ 1", "The first three are with the root of D, here 4."),
    "divided_by_D": ("np.sqrt(len(query))", "len(query)", "The scores are divided by the root of D, not by D."),
    "factor_of_D": ("spread(4)", "spread(16)", "The root of D is missing, so the scores are sqrt(16) times as large."),
}

# %% [markdown]
# ## 7. Three tables of positions
#
# Each panel shows how similar the position of one place of an 8 x 8 grid is to those of all places (the cosine, after
# the mean of the table is subtracted), for one table: that of a model before training whose positions are *random*
# numbers; that of a *trained* ViT (its positions started as lesson 02's embedding and learned from there for minutes);
# and that of a ViT that was only ever shown *shuffled* pictures, their patches exchanged in one fixed order (section 11
# of the lesson; its table is here the trained one's, with the rows exchanged). Which is which? And from which place is
# the trained table seen?

# %% figure="three maps of 8 x 8 similarities, from one place of the grid each"
import matplotlib.pyplot as plt

from minivit.lessons.weights import trained

learned = trained("vit_15min").model.positions.numpy()[0]  # (64, 128)
tables = np.random.default_rng(0).normal(size=(64, 128)), learned, learned[np.random.default_rng(3).permutation(64)]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6))
rng = np.random.default_rng(16)
for panel, letter, table in zip(axes, "ABC", rng.permutation(3), strict=True):
    centred = tables[table] - tables[table].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    image = panel.imshow((unit @ unit[rng.integers(64)]).reshape(8, 8), cmap="RdBu_r", vmin=-1, vmax=1)
    panel.set(title=f"table {letter}", xlabel="column", xticks=range(8), yticks=range(8))
axes[0].set_ylabel("row")
figure.colorbar(image, ax=axes, label="cosine")
plt.show()

# %% answer="read_tables" kind="read"
def read_tables():
    """{"random": ..., "trained": ..., "shuffled": ..., "row": ..., "column": ...}

    The first three: a letter "A" to "C" each. The last two: the place from which the trained table is seen.
    """
    # solution: random numbers are alike nowhere but at the place itself; in the trained table neighbours are alike; in
    # the shuffled one as many places are alike, but scattered; the place itself has the cosine 1, the darkest red
    return {"random": "B", "trained": "A", "shuffled": "C", "row": 6, "column": 4}
    # end

# %% check="read_tables" points=10
show(**read_tables())

# %% [markdown] hint="read_tables"
# What would a model know of neighbours if it had only ever seen neighbours torn apart?

# %% [markdown] hint="read_tables"
# One table has never been trained: whom does a place resemble there? The two others have the same colours, in another
# order.

# %% mutants="read_tables"
MUTANTS = {
    "shuffled_trained": ('"trained": "A", "shuffled": "C"', '"trained": "C", "shuffled": "A"',
                         "A model that saw its pictures in order has neighbours alike; the other has them scattered."),
    "random_shuffled": ('"random": "B", "trained": "A", "shuffled": "C"',
                        '"random": "C", "trained": "A", "shuffled": "B"',
                        "Long random vectors are all nearly at right angles: before training nothing is red but the "
                        "place itself."),
    "exchanged": ('"row": 6, "column": 4', '"row": 4, "column": 6',
                  "The row is counted downwards, the column to the right."),
}
