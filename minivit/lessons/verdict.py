"""What a comparison over seeds shows: one rule for all lessons.

    print(verdict("four heads beat one", [44.1, 45.0, 43.2], [40.3, 41.9, 40.1]))
    # four heads beat one: shown, +3.33 points (95 % interval +2.53 to +4.14, 3 seeds)
"""

import math
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
TOO_FEW = "one seed says nothing about chance"


@dataclass(frozen=True)
class Verdict:
    """What `verdict` found.

    Parameters
    ----------
    claim : str
    word : str
        "shown", "opposite", "open", or "equal within 0.5 points".
    difference : float
        The mean of ours - theirs.
    interval : (float, float), optional
        Of that mean; None where one seed gives none.
    ours, theirs : tuple of float
        The results, seed by seed.
    unit : str
    """

    claim: str
    word: str
    difference: float
    interval: tuple[float, float] | None
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    unit: str = "points"

    def __str__(self):
        return f"{self.claim}: {self.word}, {self.numbers}"

    @property
    def numbers(self):
        """The difference in words, with its interval and the number of seeds."""
        count = len(self.ours)
        if self.interval is None:
            return f"{self.difference:+.3g} {self.unit} (1 seed: {TOO_FEW})"
        low, high = self.interval
        return (f"{self.difference:+.3g} {self.unit} ({CONFIDENCE:.0%} interval {low:+.3g} to {high:+.3g}, "
                f"{count} seeds)").replace("%", " %")


def verdict(claim, ours, theirs, *, higher_is_better=True, band=None, unit="points"):
    """Whether seeds show a claim: that ours are better than theirs, or with a band, that both are equal within it.

    The differences ours - theirs are taken seed by seed, since both sides of a seed share what it decides (the order of
    the pictures, often the first weights). Their mean has a 95 % interval from Student's t with one degree of freedom
    less than there are seeds:

    =====================  =====================================================================
    *shown*                the whole interval is on the better side of 0
    *opposite*             it is on the worse side; with a band, it is outside of the band
    *equal within x*       a band was stated beforehand, and the interval lies inside it
    *open*                 anything else: these runs cannot tell, which is no sign of equality
    =====================  =====================================================================

    **What three seeds can do**: the interval reaches 2.5 standard deviations of the differences to either side, so a
    difference that is several times as large as what seeds move it is shown. **What they cannot**: a difference as
    large as the deviation is found in one case of six; equality is shown only within a band far wider than the
    deviation. Five seeds halve the reach. Where there is no difference at all, one verdict of twenty still says
    "shown" or "opposite", and a lesson with twenty verdicts has one such by chance. The interval speaks of other seeds
    of the same recipe, not of longer training, larger models or other pictures.

    Parameters
    ----------
    claim : str
        In words: "four heads beat one".
    ours, theirs : sequence of float
        A result for each seed, in the same order; `theirs` may be one number that no seed moves, such as chance.
    higher_is_better : bool
        False for losses, errors, seconds.
    band : float, optional
        The claim is that the two differ by no more than this.
    unit : str
        Of the results.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If the two are not of one length, are empty, or have numbers that are not finite.
    """
    ours = np.asarray(ours, dtype=np.float64)
    theirs = np.asarray(theirs, dtype=np.float64)
    theirs = np.full(ours.shape, theirs) if theirs.ndim == 0 else theirs
    if ours.ndim != 1 or ours.shape != theirs.shape or not len(ours):
        raise ValueError(f"verdict: expected ours and theirs with one result for each seed, got the shapes "
                         f"{ours.shape} and {theirs.shape}")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ValueError(f"verdict: expected finite results, got {ours} and {theirs}")
    if band is not None and not band > 0:
        raise ValueError(f"verdict: expected a band above 0, got {band}")
    interval = paired_interval(ours - theirs)
    return Verdict(claim, word_of(interval, higher_is_better, band, unit), float((ours - theirs).mean()), interval,
                   tuple(ours.tolist()), tuple(theirs.tolist()), unit)


def paired_interval(differences):
    """The interval of the mean of differences; None if there is but one.    float64 (seeds,) -> (low, high)"""
    from scipy import stats  # here, because it is slow to import
    count = len(differences)
    if count < 2:
        return None
    mean = differences.mean()
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count)
    return float(mean - reach), float(mean + reach)


def word_of(interval, higher_is_better, band, unit):
    """The word for an interval."""
    if interval is None:
        return "open"
    low, high = interval
    if band is not None:
        within = f"equal within {band:g} {unit.removesuffix('s') if band == 1 else unit}"  # 1 point, 2 points
        return (within if -band <= low and high <= band else
                "opposite" if low > band or high < -band else "open")
    if not higher_is_better:
        low, high = -high, -low
    return "shown" if low > 0 else "opposite" if high < 0 else "open"
