# %% [markdown] minutes="estimated 70"
# # Exercise 09: what ViTs learn
#
# The parts of a favourite picture, the filter that takes the fine detail out of one, a map for networks that the lesson
# does not have, an average over moved copies with a mistake in it, and curves to read. All in plain NumPy, with the
# letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures, rows, columns, channels |
# | N | patches of a picture |
# | prefix | tokens in front of the patches |
# | said | what the hidden units of a layer say of each token |
# | x | pictures, from 0 to 1 |
# | slope | gradient of what is maximised with respect to the pictures |
# | radius | the highest frequency that stays, in cycles per picture |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Total variation
#
# The sum of all absolute differences between a pixel and the next one, down and across, in every channel. A picture has
# edges: nothing is next to its last row and column.

# %% answer="total_variation" kind="retype"
def total_variation(x):
    """How rough each picture is.    (B, H, W, C) -> (B,)"""
    # solution: rows from the second on minus rows up to the last but one, columns the same; absolute values, summed
    # over all axes but the first
    down = abs(x[:, 1:] - x[:, :-1]).sum(axis=(1, 2, 3))
    across = abs(x[:, :, 1:] - x[:, :, :-1]).sum(axis=(1, 2, 3))
    return down + across
    # end

# %% check="total_variation" points=10
SEED = 9
rng = np.random.default_rng(SEED)
show(noise=total_variation(rng.normal(size=(3, 4, 5, 2))),
     checkers=total_variation(np.array([[[0.0, 1], [1, 0]]])[..., None]))

# %% [markdown] hint="total_variation"
# A picture of 2 x 2 pixels has how many pairs of neighbours? With 0 1 above 1 0, what must come out?

# %% [markdown] hint="total_variation"
# Four pairs, 4. If you get 8, something is next to something that it is not next to.

# %% mutants="total_variation"
MUTANTS = {
    "wraps": ("abs(x[:, 1:] - x[:, :-1]).sum(axis=(1, 2, 3))\n    across = abs(x[:, :, 1:] - x[:, :, :-1])",
              "abs(np.roll(x, 1, axis=1) - x).sum(axis=(1, 2, 3))\n    across = abs(np.roll(x, 1, axis=2) - x)",
              "The last row has no next one: `np.roll` puts the first behind it. Columns the same."),
    "squares": ("abs(x[:, 1:] - x[:, :-1]).sum(axis=(1, 2, 3))\n    across = abs(x[:, :, 1:] - x[:, :, :-1])",
                "((x[:, 1:] - x[:, :-1]) ** 2).sum(axis=(1, 2, 3))\n    across = ((x[:, :, 1:] - x[:, :, :-1]) ** 2)",
                "Absolute differences, not their squares."),
    "one_axis": ("return down + across", "return down", "Both directions count, down and across."),
    "signed": ("across = abs(x[:, :, 1:] - x[:, :, :-1])", "across = (x[:, :, 1:] - x[:, :, :-1])",
               "Without absolute values, up and down cancel."),
    "mean": ("down + across", "(down + across) / x[0].size", "It is the sum, not the mean."),
}

# %% [markdown]
# ## 2. A step upwards
#
# Slopes of different units differ by a factor of a thousand. So divide each picture's slope by its own root mean
# square, go a step of the given size upwards, and keep the pixels from 0 to 1. A picture without any slope stays.

# %% answer="ascent_step" kind="retype"
def ascent_step(x, slope, size):
    """The pictures after one step.    (B, H, W, C), (B, H, W, C), number -> (B, H, W, C)"""
    # solution: `np.sqrt((slope ** 2).mean(axis=(1, 2, 3), keepdims=True))` for each picture; where it is 0, divide by 1
    length = np.sqrt((slope ** 2).mean(axis=(1, 2, 3), keepdims=True))
    length = np.where(length > 0, length, 1)
    return np.clip(x + size * slope / length, 0, 1)
    # end

# %% check="ascent_step" points=10
SEED = 9
rng = np.random.default_rng(SEED)
slope = rng.normal(size=(3, 4, 5, 2)) * np.array([1000.0, 0.001, 0])[:, None, None, None]
show(x=ascent_step(rng.random((3, 4, 5, 2)), slope, 0.1))

# %% [markdown] hint="ascent_step"
# Which pictures share the number that you divide by? The second picture of the check has a slope a million times
# smaller than the first: how far should it go?

# %% [markdown] hint="ascent_step"
# One number for each picture, shape (B, 1, 1, 1): the root of the mean of squares over the other three axes.

# %% mutants="ascent_step"
MUTANTS = {
    "descends": ("x + size * slope", "x - size * slope", "What is maximised grows along its gradient: add it."),
    "not_normalised": ("slope / length", "slope", "Divide by the root mean square, or some units never move."),
    "over_batch": ("mean(axis=(1, 2, 3), keepdims=True)", "mean(keepdims=True)",
                   "Each picture has its own length: one steep picture must not stop the others."),
    "summed": ("(slope ** 2).mean(", "(slope ** 2).sum(", "The root of the mean, so that size is per pixel."),
    "not_clipped": ("np.clip(x + size * slope / length, 0, 1)", "x + size * slope / length",
                    "A pixel stays between 0 and 1."),
}

# %% [markdown]
# ## 3. Low-pass
#
# The Fourier transform says how much of each frequency a picture has. Keep those whose distance from frequency 0 is at
# most `radius` cycles per picture, in any direction, and come back. Sides may differ: H and W.

# %% answer="low_pass" kind="retype"
def low_pass(x, radius):
    """The picture without its fine detail.    (B, H, W, C), number -> (B, H, W, C)"""
    # solution: `np.fft.fftfreq(H) * H` are the cycles per picture of each row of `np.fft.fft2`, in its own order; a
    # mask where the root of the sum of squares is at most radius; `np.fft.ifft2`, and of it the real part
    H, W = x.shape[1:3]
    down, across = np.fft.fftfreq(H)[:, None] * H, np.fft.fftfreq(W) * W
    kept = np.hypot(down, across) <= radius  # (H, W)
    spectrum = np.fft.fft2(x, axes=(1, 2)) * kept[..., None]
    return np.fft.ifft2(spectrum, axes=(1, 2)).real
    # end

# %% check="low_pass" points=10
SEED = 9
rng = np.random.default_rng(SEED)
show(noise=low_pass(rng.normal(size=(2, 6, 8, 2)), 2), constant=low_pass(np.full((1, 4, 4, 1), 5.0), 1),
     checkers=low_pass((np.indices((4, 4)).sum(axis=0) % 2)[None, ..., None] * 1.0, 2))

# %% [markdown] hint="low_pass"
# What must become of a picture that is 5 everywhere? And of a checkerboard, with a radius of 2 on 4 x 4?

# %% [markdown] hint="low_pass"
# `np.fft.fft2` puts frequency 0 into the corner and counts upwards, then from below. `np.fft.fftfreq` counts the same.

# %% mutants="low_pass"
MUTANTS = {
    "not_shifted": ("spectrum = np.fft.fft2(x, axes=(1, 2)) * kept[..., None]",
                    "spectrum = np.fft.fft2(x, axes=(1, 2)) * np.fft.fftshift(kept)[..., None]",
                    "The mask is centred and the spectrum is not: frequency 0 stands in the corner."),
    "per_pixel": ("np.fft.fftfreq(H)[:, None] * H, np.fft.fftfreq(W) * W",
                  "np.fft.fftfreq(H)[:, None], np.fft.fftfreq(W)",
                  "`fftfreq` counts cycles per pixel; the radius counts cycles per picture."),
    "square": ("np.hypot(down, across)", "np.maximum(abs(down), abs(across))",
               "In any direction: a disc of frequencies, not a square."),
    "high": ("<= radius", "> radius", "Low frequencies stay."),
    "sides": ("np.fft.fftfreq(H)[:, None] * H", "np.fft.fftfreq(H)[:, None] * W",
              "Cycles per picture, of a picture with H rows."),
}

# %% [markdown]
# ## 4. A map of where a unit responds
#
# This network has tokens in front of the patches: a class token, registers. `said` is what a layer's hidden units
# say of every token. Make a map for one unit: negative responses become 0, and each picture's map is divided by its
# largest value, so that the strongest place is 1. Where the unit responds nowhere, the map is 0.

# %% answer="activation_map" kind="transfer"
def activation_map(said, unit, prefix, rows, columns):
    """Where one unit responds.    (B, prefix + N, units), N = rows * columns -> (B, rows, columns)"""
    # solution: `said[:, prefix:, unit]`, at least 0; divide by each picture's maximum where it is above 0; reshape to
    # (B, rows, columns)
    found = np.maximum(said[:, prefix:, unit], 0)  # (B, N)
    largest = found.max(axis=1, keepdims=True)
    found = found / np.where(largest > 0, largest, 1)
    return found.reshape(-1, rows, columns)  # (B, N) -> (B, rows, columns)
    # end

# %% check="activation_map" points=15
SEED = 9
rng = np.random.default_rng(SEED)
said = rng.normal(size=(3, 8, 4))
said[2] = -abs(said[2])
said[:, :2] += 3
show(maps=activation_map(said, 1, 2, 2, 3), none=activation_map(rng.normal(size=(2, 6, 4)), 3, 0, 3, 2))

# %% [markdown] hint="activation_map"
# Which tokens have a place in the picture? Leave the others out before you look for the largest.

# %% [markdown] hint="activation_map"
# One largest value for each picture, and tokens stand in reading order: along a row first.

# %% mutants="activation_map"
MUTANTS = {
    "prefix_kept": ("said[:, prefix:, unit]", "said[:, :rows * columns, unit]",
                    "The first tokens are no patches: everything is moved by their number."),
    "negative": ("np.maximum(said[:, prefix:, unit], 0)", "said[:, prefix:, unit]", "Negative responses become 0."),
    "grid_turned": ("found.reshape(-1, rows, columns)", "found.reshape(-1, columns, rows).swapaxes(1, 2)",
                    "Tokens are in reading order: along a row first."),
    "over_batch": ("found.max(axis=1, keepdims=True)", "found.max(keepdims=True)",
                   "Each picture's own strongest place is 1."),
    "prefix_largest": ("largest = found.max(axis=1, keepdims=True)",
                       "largest = said[:, :, unit].max(axis=1, keepdims=True)",
                       "The largest of the patches: what stands in front is not on the map."),
}

# %% [markdown]
# ## 5. A variation with a slope everywhere
#
# The absolute value has a corner at 0, where its slope jumps. Many programs take this instead, on gray pictures: at
# each pixel that has a neighbour below *and* one to the right, with a small $\epsilon$,
#
# $$\sqrt{\text{down}^2 + \text{across}^2 + \epsilon}$$
#
# and sum over those pixels. Work out its gradient with respect to the picture.

# %% answer="smooth_gradient" kind="transfer"
def smooth_gradient(x, eps=1e-3):
    """d(sum of roots) / dx.    (H, W) -> (H, W)"""
    # solution: down = x[1:, :-1] - x[:-1, :-1], across = x[:-1, 1:] - x[:-1, :-1]; each divided by the root is what the
    # neighbour gets; the pixel itself gets minus the sum of both
    down, across = x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]
    root = np.sqrt(down ** 2 + across ** 2 + eps)
    slope = np.zeros_like(x)
    slope[1:, :-1] += down / root
    slope[:-1, 1:] += across / root
    slope[:-1, :-1] -= (down + across) / root
    return slope
    # end

# %% check="smooth_gradient" points=20
SEED = 9
rng = np.random.default_rng(SEED)
show(slope=smooth_gradient(rng.normal(size=(4, 5))), rougher=smooth_gradient(rng.normal(size=(3, 2)), 0.5))

# %% [markdown] hint="smooth_gradient"
# Call one root r. What are its derivatives with respect to `down` and to `across`? And in which pixels do these stand?

# %% [markdown] hint="smooth_gradient"
# A pixel is in up to three roots: its own, that of the pixel above and that of the pixel to the left. Add up all three,
# in an array of zeros. Moving one pixel by 1e-5 checks you.

# %% mutants="smooth_gradient"
MUTANTS = {
    "sign": ("slope[:-1, :-1] -= (down + across) / root", "slope[:-1, :-1] += (down + across) / root",
             "A pixel is subtracted in its own differences: minus."),
    "own_root_only": ("slope[1:, :-1] += down / root", "slope[1:, :-1] += 0 * down",
                      "A pixel is the lower neighbour of the one above it, too."),
    "doubled": ("root = np.sqrt(down ** 2 + across ** 2 + eps)", "root = np.sqrt(down ** 2 + across ** 2 + eps) / 2",
                "The 2 of the square and the 1/2 of the root cancel."),
    "overwritten": ("slope[:-1, 1:] += across / root", "slope[:-1, 1:] = across / root",
                    "Several roots meet in one pixel: add to what is there."),
    "half_of_own": ("slope[:-1, :-1] -= (down + across) / root", "slope[:-1, :-1] -= down / root",
                    "In its own root a pixel is subtracted twice: from the one below, and from the one to the right."),
    "no_eps": ("across ** 2 + eps)", "across ** 2 + 1e-12)", "The small number stands under the root."),
}

# %% [markdown]
# ## 6. Moved copies
#
# To find a picture that a unit likes wherever it stands, its slope is averaged over moved copies: move the picture,
# take the slope there, move that slope back to where the picture was, take the mean. `slope_at(y)` is the slope of the
# unit at any picture y. It runs, the mean looks right for a move of (0, 0), and yet the pictures become blurred ghosts.

# %% answer="moved_slope" kind="debug" bug="same_way"
def moved_slope(x, slope_at, moves):
    """The mean slope over moved copies, as of the picture x.

    (H, W), function (H, W) -> (H, W), list of (down, across) -> (H, W)
    """
    # solution: what was moved by (down, across) is moved back by (-down, -across)
    total = np.zeros_like(x)
    for down, across in moves:
        there = slope_at(np.roll(x, (down, across), axis=(0, 1)))
        total += np.roll(there, (-down, -across), axis=(0, 1))
    return total / len(moves)
    # end

# %% check="moved_slope" points=15
SEED = 9
rng = np.random.default_rng(SEED)
weights = rng.normal(size=(4, 5))
show(linear=moved_slope(rng.normal(size=(4, 5)), lambda y: weights, [(1, 0), (0, 2), (-1, 1)]),
     square=moved_slope(rng.normal(size=(4, 5)), lambda y: weights * y, [(1, 2), (0, 0)]))

# %% [markdown] hint="moved_slope"
# Take a unit that is the pixel in the corner. Its slope is 1 there. The picture is moved down by 1: which pixel of the
# picture stands in the corner now, and so should get the 1?

# %% [markdown] hint="moved_slope"
# In what `slope_at` gives, row 3 belongs to row 3 of the *moved* picture. Where was that row before?

# %% mutants="moved_slope"
MUTANTS = {
    "same_way": ("(-down, -across)", "(down, across)",
                 "The slope is moved on in the same direction; it should go back to where the picture was."),
    "not_back": ("np.roll(there, (-down, -across), axis=(0, 1))", "there",
                 "The slope belongs to the moved picture: bring it back."),
    "one_offset": ("np.roll(there, (-down, -across), axis=(0, 1))", "np.roll(there, (-down, -down), axis=(0, 1))",
                   "The two axes have offsets of their own."),
    "summed": ("total / len(moves)", "total", "It is the mean over the copies."),
    "other_way": ("(down, across), axis=(0, 1)))\n        total += np.roll(there, (-down, -across)",
                  "(-down, -across), axis=(0, 1)))\n        total += np.roll(there, (down, across)",
                  "There and back again, but by the opposite moves: the copy was moved as `moves` says before."),
    "unmoved": ("slope_at(np.roll(x, (down, across), axis=(0, 1)))", "slope_at(x)",
                "The slope is taken at the moved copy: that was right before."),
}

# %% [markdown]
# ## 7. How much does a filter take?
#
# **Predict first**, on paper, for pictures of 24 rows and 36 columns: how many of the 864 frequencies does a disc of
# radius 8 keep (its area is a good guess)? From which whole radius on are all kept, corners included? A wave of 6
# cycles down and 6 across: what is the smallest whole radius that lets it pass? And which share of a noise picture's
# variance is left at radius 8, in percent? Then measure.

# %% answer="taken" kind="measure"
def taken():
    """{"kept": ..., "all": ..., "wave": ..., "noise": ...}: whole numbers; noise in percent, rounded"""
    # solution: the distances `np.hypot(down[:, None], across)`, with `np.fft.fftfreq(24) * 24` down and
    # `np.fft.fftfreq(36) * 36` across: count those up to 8; the largest, rounded up; the root of 72, rounded up; of
    # noise, whose frequencies are all as strong, the share of those kept
    down, across = np.fft.fftfreq(24) * 24, np.fft.fftfreq(36) * 36
    distance = np.hypot(down[:, None], across)  # (24, 36)
    kept = int((distance <= 8).sum())
    return {"kept": kept, "all": int(np.ceil(distance.max())), "wave": int(np.ceil(np.hypot(6, 6))),
            "noise": round(100 * kept / distance.size)}
    # end

# %% check="taken" points=10
show(**taken())

# %% [markdown] reasons="taken"
# your four predictions beside what you measured; why noise loses most of its variance where a photograph loses nearly
# nothing; and what that means for a unit whose favourite picture is noise.

# %% [markdown] hint="taken"
# Diagonals are longer: how far is the corner frequency, 12 down and 18 across, from 0?

# %% [markdown] hint="taken"
# White noise has the same power at every frequency, in the mean. So its share is a share of frequencies.

# %% mutants="taken"
MUTANTS = {
    "area": ("kept = int((distance <= 8).sum())", "kept = round(np.pi * 64)",
             "The area is the guess; count the frequencies themselves."),
    "side": ('"all": int(np.ceil(distance.max()))', '"all": 18', "The corners lie farther out than the sides."),
    "wave_side": ('"wave": int(np.ceil(np.hypot(6, 6)))', '"wave": 6',
                  "A diagonal wave has the frequency of both directions together."),
    "root": ('"noise": round(100 * kept / distance.size)', '"noise": round(100 * (kept / distance.size) ** 0.5)',
             "Variance is the mean square: no root."),
}

# %% [markdown]
# ## 8. Three networks without fine detail
#
# How many of 100 pictures three networks classify right after a low-pass filter, by radius; without a filter in the
# last column. (The numbers are made up; the shapes are those of papers.) Somebody says: "B is the most robust, its
# curve is highest nearly everywhere."

# %%
radii = np.array([3, 4, 6, 8, 12, 23])
right = {"A": np.array([14, 21, 40, 52, 59, 60]), "B": np.array([24, 46, 60, 78, 88, 90]),
         "C": np.array([30, 40, 53, 58, 60, 60])}

# %% figure="three curves of accuracy against the radius of a low-pass filter"
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(7, 3.8))
for (name, values), marker in zip(right.items(), "os^", strict=True):
    axis.plot(radii, values, marker + "-", label=f"network {name}")
axis.set(xlabel="radius that stays (cycles per picture)", ylabel="right (%)", ylim=(0, 100),
         title="Which network needs fine detail least?")
axis.axhline(10, color="grey", linestyle="--", label="chance, 1/10")
axis.legend()
plt.show()

# %% answer="read_curves" kind="read"
def read_curves():
    """{"least": ..., "most": ..., "half_B": ..., "fair": ...}

    "least", "most": which network loses the smallest and which the largest share of its own accuracy at radius 4?
    "half_B": the smallest radius of the table at which B keeps at least half of its accuracy. "fair": the two networks
    whose curves can be compared as they are, as a string of two letters in order.
    """
    # solution: divide each by its last value: at 4, A keeps 21/60, B 46/90, C 40/60; fair are two that begin
    # at the same height
    share = {name: values / values[-1] for name, values in right.items()}
    least = max(share, key=lambda name: share[name][1])
    most = min(share, key=lambda name: share[name][1])
    half = int(radii[np.argmax(share["B"] >= 0.5)])
    return {"least": least, "most": most, "half_B": half, "fair": "AC"}
    # end

# %% check="read_curves" points=10
show(**read_curves())

# %% [markdown] hint="read_curves"
# Divide each curve by what its network reaches without a filter, and draw again.

# %% [markdown] hint="read_curves"
# Two curves compare as they are if both begin at the same height, at the right end.

# %% mutants="read_curves"
MUTANTS = {
    "absolute": ('"least": least', '"least": max(right, key=lambda name: right[name][-1])',
                 "B is highest because it was best before: compare shares of each network's own accuracy."),
    "points": ('"most": most', '"most": "C"', "C keeps two thirds of what it had, more than the others."),
    "half_of_all": ('share["B"] >= 0.5', 'right["B"] >= 50 + 0 * radii',
                    "Half of B's own accuracy, which is 45 of 100."),
    "unfair": ('"fair": "AC"', '"fair": "AB"', "Which two start from the same accuracy?"),
}
