# %% [markdown] minutes="estimated 60"
# # Exercise 06: a Vision Transformer, put together
#
# What the ViT adds to patches and encoder blocks: a token for the class, position embeddings, and a head that reads
# the result in one of three ways. (Dosovitskiy et al. 2021; attention pooling after Zhai et al. 2022.)
#
# | symbol | meaning |
# |---|---|
# | B, N, D | batch, patches, width |
# | K | classes |
# | P | side of a patch |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. The class token
#
# One learned token is put before the patches of every picture; then each of the N + 1 tokens gets its position
# embedding (eq. 1).

# %% answer="class_token" kind="retype"
def class_token(x, token, positions):
    """token, x[b, 0], ..., x[b, N-1], plus positions.    (B, N, D), (D,), (N + 1, D) -> (B, N + 1, D)"""
    # solution: the token stretched to (B, 1, D), joined with x along the tokens, plus the positions
    B, N, D = x.shape
    return np.concatenate([np.broadcast_to(token, (B, 1, D)), x], axis=1) + positions
    # end

# %% check="class_token" points=15
SEED = 6
rng = np.random.default_rng(SEED)
show(tokens=class_token(rng.normal(size=(3, 4, 5)), rng.normal(size=5), rng.normal(size=(5, 5))))

# %% [markdown] hint="class_token"
# `np.broadcast_to(token, (B, 1, D))` is the token B times; `np.concatenate(..., axis=1)` joins along the tokens.

# %% mutants="class_token"
MUTANTS = {
    "at_the_end": ("[np.broadcast_to(token, (B, 1, D)), x]", "[x, np.broadcast_to(token, (B, 1, D))]",
                   "The class token comes first."),
    "no_positions": (" + positions", "", "The position embeddings are missing."),
    "no_position_for_it": ("return np.concatenate([np.broadcast_to(token, (B, 1, D)), x], axis=1) + positions",
                           "return np.concatenate([np.broadcast_to(token, (B, 1, D)), x + positions[1:]], axis=1)",
                           "The class token has a position embedding, too: the first."),
    "positions_shifted": ("+ positions", "+ np.roll(positions, -1, axis=0)",
                          "Position 0 is the class token's; the patches begin at position 1."),
}

# %% [markdown]
# ## 2. The class token, backward
#
# Token and positions are shared by all pictures: their gradients are sums over the batch. The patches get their
# own part of dy.

# %% answer="class_token_backward" kind="retype" formula=true
def class_token_backward(dy):
    """dx, d token, d positions of class_token(x, token, positions).    (B, N + 1, D) -> (B, N, D), (D,), (N + 1, D)"""
    # solution: dy without its first token; the sum of its first token over the batch; the sum of all over the batch
    return dy[:, 1:], dy[:, 0].sum(axis=0), dy.sum(axis=0)
    # end

# %% check="class_token_backward" points=20
SEED = 6
rng = np.random.default_rng(SEED)
dx, dtoken, dpositions = class_token_backward(rng.normal(size=(3, 5, 5)))
many, _, many_dpositions = class_token_backward(rng.normal(size=(400, 17, 16)).astype(np.float32))
show(dx=dx, dtoken=dtoken, dpositions=dpositions, many=np.asarray(many)[::100, ::5, ::5],
     many_dpositions=many_dpositions)

# %% [markdown] hint="class_token_backward"
# What was copied B times in the forward pass is summed over B in the backward pass.

# %% mutants="class_token_backward"
MUTANTS = {
    "mean": ("dy[:, 0].sum(axis=0)", "dy[:, 0].mean(axis=0)", "The gradients of the copies add up: a sum, not a mean."),
    "last_token": ("dy[:, 1:], dy[:, 0]", "dy[:, :-1], dy[:, -1]", "The class token is the first."),
    "sum_over_tokens": ("dy[:, 0].sum(axis=0)", "dy.sum(axis=(0, 1))",
                        "The class token only receives what reaches its own place."),
    "positions_of_one": ("dy.sum(axis=0)", "dy[0]", "All pictures share the positions: sum over the batch."),
}

# %% [markdown]
# ## 3. Reading the class token
#
# The classifier sees the normalised class token only: $\mathrm{LN}(x)_0 W + b$ (eq. 4). The LayerNorm here has no
# scale or shift; a small number such as 1e-6 under the root is usual, and any will do.

# %% answer="class_head" kind="retype"
def class_head(x, weight, bias):
    """Logits from the first token, normalised.    (B, N + 1, D), (D, K), (K,) -> (B, K)"""
    # solution: take the first token, subtract its mean, divide by its standard deviation, then the linear map
    x = x[:, 0]
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    return x @ weight + bias
    # end

# %% check="class_head" points=10
SEED = 6
rng = np.random.default_rng(SEED)
x, weight, bias = rng.normal(1, 2, size=(4, 4, 6)), rng.normal(size=(6, 3)), rng.normal(size=3)
show(logits=class_head(x, weight, bias), large=class_head(1000 * x, weight, bias))

# %% [markdown] hint="class_head"
# Mean and variance run over the channels of one token: axis -1.

# %% mutants="class_head"
MUTANTS = {
    "last_token": ("x[:, 0]", "x[:, -1]", "The class token is the first."),
    "mean_of_all": ("x[:, 0]", "x.mean(axis=1)", "This is the mean of all tokens; here only the class token is read."),
    "not_normalised": ("(x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)", "x",
                       "The token is normalised before the linear map."),
    "over_the_batch": ("x.mean(axis=-1, keepdims=True)", "x.mean(axis=0)",
                       "The mean runs over channels, not over the batch."),
}

# %% [markdown]
# ## 4. Global average pooling
#
# Without a class token the head reads the mean of all patches, normalised *after* the mean. As good as the class
# token if the learning rate suits it (appendix D.3).

# %% answer="average_head" kind="retype"
def average_head(x, weight, bias):
    """Logits from the normalised mean of all tokens.    (B, N, D), (D, K), (K,) -> (B, K)"""
    # solution: the mean over the tokens, then normalised over the channels, then the linear map
    x = x.mean(axis=1)
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    return x @ weight + bias
    # end

# %% check="average_head" points=10
SEED = 6
rng = np.random.default_rng(SEED)
x, weight, bias = rng.normal(1, 2, size=(4, 5, 6)), rng.normal(size=(6, 3)), rng.normal(size=3)
show(logits=average_head(x, weight, bias), large=average_head(1000 * x, weight, bias))

# %% [markdown] hint="average_head"
# First `x.mean(axis=1)`: from (B, N, D) to (B, D).

# %% mutants="average_head"
MUTANTS = {
    "normalised_first": ("    x = x.mean(axis=1)\n"
                         "    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)",
                         "    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + "
                         "1e-6)\n    x = x.mean(axis=1)",
                         "The mean comes first, then the normalisation."),
    "maximum": ("x = x.mean(axis=1)", "x = x.max(axis=1)", "The mean of the tokens, not their maximum."),
    "sum": ("x = x.mean(axis=1)", "x = x[:, 1:].mean(axis=1)",
            "There is no class token here: all tokens count, the first included."),
}

# %% [markdown]
# ## 5. Attention pooling
#
# A learned query asks all tokens: $a_n = \mathrm{softmax}_n(q \cdot k_n / \sqrt D)$ with keys $k = x W_k$, and
# the result is $\sum_n a_n v_n$ with values $v = x W_v$. One head here.

# %% answer="attention_pool" kind="retype"
def attention_pool(x, query, key_weight, value_weight):
    """sum_n a_n v_n, a = softmax over the tokens of q k_n / sqrt(D).    (B, N, D), (D,), (D, D), (D, D) -> (B, D)"""
    # solution: scores of all keys with the query over sqrt(D), softmax over the tokens, weighted sum of the values
    scores = x @ key_weight @ query / np.sqrt(x.shape[-1])  # (B, N)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return (weights[:, :, None] * (x @ value_weight)).sum(axis=1)
    # end

# %% check="attention_pool" points=20
SEED = 6
rng = np.random.default_rng(SEED)
x, query, key_weight, value_weight = rng.normal(size=(3, 5, 4)), *rng.normal(size=(1, 4)), *rng.normal(size=(2, 4, 4))
show(pooled=attention_pool(x, query, key_weight, value_weight),
     large=attention_pool(9000 * x, query, key_weight, value_weight))

# %% [markdown] hint="attention_pool"
# `x @ key_weight @ query` has shape (B, N): one score for each token.

# %% [markdown] hint="attention_pool"
# The weights need a last axis to meet the values: `weights[:, :, None]`.

# %% mutants="attention_pool"
MUTANTS = {
    "no_scale": (" / np.sqrt(x.shape[-1])", "", "The scores are divided by the square root of D."),
    "over_the_batch": ("weights.sum(axis=1, keepdims=True)", "weights.sum(axis=0, keepdims=True)",
                       "The weights of a picture's tokens add up to one: softmax over axis 1."),
    "no_maximum": ("scores - scores.max(axis=1, keepdims=True)", "scores",
                   "Large scores overflow: subtract the largest of each picture."),
    "keys_for_values": ("x @ value_weight", "x @ key_weight", "The values have a matrix of their own."),
    "no_values": ("(x @ value_weight)", "x", "The tokens go through value_weight before they are added up."),
}

# %% [markdown]
# ## 6. The whole
#
# Pictures to patches, patches to tokens by one linear map, class token and positions, the blocks one after the
# other, and the class head. `parameters` is a dict; `blocks` is a list of functions (B, N + 1, D) -> (B, N + 1,
# D).

# %% answer="vit" kind="retype"
def vit(images, size, parameters, blocks):
    """Logits of pictures.    (B, H, W, C) -> (B, K)

    parameters: patch_weight (P * P * C, D), patch_bias (D,), token (D,), positions (N + 1, D),
    head_weight (D, K), head_bias (K,)
    """
    # solution: patches in reading order, flattened; embed; class token and positions; the blocks; the head
    B, H, W, C = images.shape
    x = images.reshape(B, H // size, size, W // size, size, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/P, W/P, P, P, C)
    x = x.reshape(B, -1, size * size * C) @ parameters["patch_weight"] + parameters["patch_bias"]
    x = class_token(x, parameters["token"], parameters["positions"])
    for block in blocks:
        x = block(x)
    return class_head(x, parameters["head_weight"], parameters["head_bias"])
    # end

# %% check="vit" points=25
SEED = 6
rng = np.random.default_rng(SEED)
sizes = {"patch_weight": (12, 5), "patch_bias": (5,), "token": (5,), "positions": (7, 5), "head_weight": (5, 3),
         "head_bias": (3,)}
parameters = {name: rng.normal(size=size) for name, size in sizes.items()}
mixing = rng.normal(size=(2, 7, 7))
blocks = [lambda x: x + mixing[0] @ x, lambda x: abs(x) + mixing[1] @ x]
show(logits=vit(rng.normal(size=(2, 4, 6, 3)), 2, parameters, blocks))

# %% [markdown] hint="vit"
# Five lines: patches (exercise 02), linear map, `class_token`, a loop over the blocks, `class_head`.

# %% mutants="vit"
MUTANTS = {
    "patches_scrambled": (".transpose(0, 1, 3, 2, 4, 5)", "",
                          "The patches are pieces of rows: the transpose between the two reshapes is missing."),
    "no_blocks": ("        x = block(x)", "        block(x)", "The result of a block is what the next one reads."),
    "first_block_only": ("for block in blocks:", "for block in blocks[:1]:", "All blocks, one after the other."),
    "no_bias": (" + parameters[\"patch_bias\"]", "", "The bias of the patch embedding is missing."),
    "average": ("class_head(x,", "average_head(x,", "The head reads the class token here, not the mean."),
}
