"""Names that a user may misspell."""

import difflib


def expect(what, name, names, *, others=""):
    """Raise a ValueError, which suggests the nearest right name, unless `name` is one of `names`.

    `others` says, after the names, what else could have been given.
    """
    if name not in names:
        nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
        suggestion = f"did you mean {nearest[0]!r}? " if nearest else ""
        there = ", ".join([*names, others] if others else names)
        raise ValueError(f"{what}: {name!r} does not exist; {suggestion}there are {there}")
