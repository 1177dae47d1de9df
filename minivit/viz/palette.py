"""What a colour means: one table for figures, drawings, demos, slides and pages.

Each meaning has a colour for a light page and one for a dark page; both stand out from their page by at least 4.5 to 1,
so that they serve for type as well as for lines.
"""

PALETTE = {  # meaning: (on a light page, on a dark page)
    "page": ("#ffffff", "#15191e"),
    "ink": ("#1b1f24", "#e8ecf0"),
    "quiet": ("#4b545d", "#8f99a4"),
    "query": ("#0067a3", "#5cb8f0"),
    "key": ("#b4540a", "#f2a03d"),
    "value": ("#2b7a2b", "#6fcf6f"),
    "token": ("#6a737d", "#bcc5ce"),
    "class-token": ("#7b3fa0", "#cf9ff0"),
    "position": ("#0b6f7d", "#56cfdc"),
    "loss": ("#b5152b", "#ff8089"),
    "new": ("#8f6400", "#ffc83d"),
}


def light(meaning):
    """The colour on a light page, as matplotlib and SVG take it."""
    return PALETTE[meaning][0]


def css():
    """The table as variables of a style sheet, `var(--query)`, which follow the page: light, or dark where the reader
    prefers it; an element with the class `light` or `dark` holds to one of them.
    """
    sides = ["".join(f"--{meaning}:{colours[side]};" for meaning, colours in PALETTE.items()) for side in (0, 1)]
    return (f":root,.light{{color-scheme:light;{sides[0]}}}\n"
            f"@media(prefers-color-scheme:dark){{:root{{color-scheme:dark;{sides[1]}}}}}\n"
            f".dark{{color-scheme:dark;{sides[1]}}}\n"
            f".light{{color-scheme:light;{sides[0]}}}\n")


def colour_map(name):
    """A colour map of matplotlib, from its low to its high end, for pages that colour numbers.    -> uint8 (256, 3)"""
    from matplotlib import colormaps
    from numpy import arange
    return colormaps[name](arange(256), bytes=True)[:, :3]
