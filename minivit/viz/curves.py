"""How a run went."""

from .figure import new_figure


def curves(metrics, title=""):
    """Loss and accuracy over the epochs, in training and on the test set.

    Parameters
    ----------
    metrics : list of dict
        The lines of a run's metrics.jsonl.
    """
    figure = new_figure(10, 4)
    loss, accuracy = figure.subplots(1, 2)
    for axes, name, factor, label in [(loss, "loss", 1, "cross-entropy"), (accuracy, "accuracy", 100, "accuracy (%)")]:
        for key, style in [(name, {"color": "tab:blue", "label": "training, augmented pictures"}),
                           (f"test_{name}", {"color": "tab:orange", "marker": "o", "label": "test"})]:
            points = [(line["epoch"], factor * line[key]) for line in metrics if key in line]
            axes.plot(*zip(*points, strict=True) if points else ((), ()), **style)
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
    accuracy.set_ylim(0, 100)
    final = [line for line in metrics if line.get("final")]
    result = f"test accuracy {final[0]['test_accuracy']:.1%}" if final else "not finished"
    figure.suptitle(f"{title}: {result}" if title else result)
    return figure
