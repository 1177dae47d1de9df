"""A loss that stays where a model tells nothing apart, called by its name."""

from ..types import Line

NEAR = 0.01   # a loss within this fraction of a plateau lies on it
LEAST = 1e-3  # and within this of a plateau near 0
LONG = 0.1    # of all steps; a loss that lies there for so long stays
FEW = 3       # lines of the metrics; fewer say nothing


def plateau_of(lines: list[Line], plateaus: dict[str, float], steps: int) -> str | None:
    """The name of the plateau on which the loss of all lines of the last tenth of a run's steps lies, or None.

    Parameters
    ----------
    lines : list of dict
        Of the metrics, up to now.
    plateaus : dict
        {what it means: the loss}, as `Task.plateaus` gives them.
    steps : int
        Of the whole run.
    """
    now = lines[-1]["step"]
    recent = [line["loss"] for line in lines if line["step"] > now - LONG * steps and "loss" in line]
    if now < LONG * steps or len(recent) < FEW:
        return None
    return next((name for name, level in plateaus.items()
                 if all(abs(loss - level) <= max(NEAR * abs(level), LEAST) for loss in recent)), None)
