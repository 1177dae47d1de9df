"""How a run went."""

from .figure import new_figure
from .level import level_line

POSITION = {"step", "epoch", "seconds", "learning_rate", "gradient_norm", "final"}  # of a line, not what is learned


def curves(metrics, title="", plateaus=None):
    """The loss, and every other number that the task reports, over the epochs, in training and on the test set.

    Parameters
    ----------
    metrics : list of dict
        The lines of a run's metrics.jsonl.
    plateaus : {str: float}, optional
        Losses at which a model tells nothing apart, and what they mean: dashed lines.
    """
    keys = [key for line in metrics for key, value in line.items() if isinstance(value, (int, float))]
    bare = dict.fromkeys(key.removeprefix("test_") for key in keys)
    names = ["loss", *(name for name in bare if name not in POSITION | {"loss", "pictures"})]
    figure = new_figure(5 * len(names), 4)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        percent = name.endswith("accuracy")
        for key, style in [(name, {"color": "tab:blue", "label": "training, augmented pictures"}),
                           (f"test_{name}", {"color": "tab:orange", "marker": "o", "label": "test"})]:
            points = [(line["epoch"], 100 * line[key] if percent else line[key]) for line in metrics if key in line]
            if points:
                axes.plot(*zip(*points, strict=True), **style)
        for meaning, level in (plateaus or {}).items() if name == "loss" else ():
            level_line(axes, level, meaning)
        axes.set(xlabel="epoch", ylabel=f"{name.replace('_', ' ')}{' (%)' * percent}")
        axes.grid(alpha=0.3)
        axes.legend()
        if percent:
            axes.set_ylim(0, 100)
    final = next((line for line in metrics if line.get("final")), None)
    result = in_words(final) if final else "not finished"
    figure.suptitle(f"{title}: {result}" if title else result)
    return figure


def in_words(final):
    """The first thing to know of the last line of a run's metrics: test accuracy 71.2%."""
    name = next((name for name in ("test_accuracy", "test_loss", *final) if name.startswith("test_") and name in final
                 and name != "test_pictures"), None)
    if name is None:
        return "finished"
    number = f"{final[name]:.1%}" if name.endswith("accuracy") else f"{final[name]:.3f}"
    return f"{name.replace('_', ' ')} {number}"
