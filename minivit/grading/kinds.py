"""What an answer asks for: five kinds, and the points of each."""

KINDS = {
    "retype": "write what the lesson shows",
    "transfer": "use its ideas for something that it does not show",
    "debug": "the code runs and is wrong: find the mistake, and mend it",
    "measure": "predict, then measure; the values count",
    "read": "say what a figure or a table of numbers shows",
}
CONSTANT = {"measure", "read"}  # kinds whose answers are values of their own, not functions of what a seed draws


def by_kind(answers):
    """{kind: (points, possible)} of answers as (kind, points, possible), in the order of KINDS."""
    sums = {}
    for kind, points, possible in answers:
        got, of = sums.get(kind, (0, 0))
        sums[kind] = got + points, of + possible
    return {kind: sums[kind] for kind in KINDS if kind in sums}


def said(sums):
    """The points of each kind on one line."""
    return ", ".join(f"{kind} {points}/{possible}" for kind, (points, possible) in sums.items())
