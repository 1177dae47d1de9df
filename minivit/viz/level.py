"""A level that a curve is read against: chance, a plateau, a rival that is not trained."""


def level_line(axes, value, label, *, vertical=False):
    """A dashed grey line across matplotlib's axes, named in their legend; upright where results lie along x."""
    draw = axes.axvline if vertical else axes.axhline
    return draw(value, color="grey", linestyle="--", label=label)
