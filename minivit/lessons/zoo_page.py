"""docs/zoo.md and its picture, from the records in docs/results/zoo."""

import statistics
from pathlib import Path

from ..files import write_atomically
from ..viz import against_costs, png

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "docs" / "zoo.md", ROOT / "docs" / "figures" / "zoo.png"
GROUPS = {  # as the course has them
    "plain": ("vit", "deit", "deit3", "cait", "vitc", "vit_hybrid", "beit", "dinov2"),
    "convolutions": ("resnet", "nfnet"),
    "hierarchies and windows": ("swin", "swin_v2", "pvt", "pvt_v2", "cpvt", "twins", "maxvit", "nat", "dinat", "t2t",
                                "tnt", "pit", "xcit"),
    "convolution meets attention": ("cvt", "levit", "fastvit", "mobilevit", "mobile_former", "efficientformer",
                                    "efficientvit", "convit", "coat_lite"),
    "without attention": ("mlp_mixer", "resmlp", "gmlp", "poolformer", "metaformer"),
    "roots": ("non_local", "axial", "stand_alone", "attention_cnn", "igpt"),
}


def group_of(name):
    """The title of the group of an architecture."""
    return next(title for title, names in GROUPS.items() if name in names)


def page(records):
    """The text of docs/zoo.md."""
    first = records[0]
    lines = ["# All architectures side by side\n",
             f"Written by `python -m minivit zoo`: {first['data']}, the same recipe, the same minutes for each on "
             f"{first['cores']} cores, a learning rate chosen from {', '.join(first['held_out'])} on pictures that "
             "were held out. Times were measured on a quiet machine.\n",
             "![Accuracy against what it costs](figures/zoo.png)\n"]
    for title in GROUPS:
        members = [record for record in records if group_of(record["name"]) == title]
        if members:
            lines += [f"## {title.capitalize()}\n",
                      "| | test accuracy | seeds | parameters | multiply-adds | ms a step | pictures/s predicted | "
                      "learning rate | measured with |\n|---|---|---|---|---|---|---|---|---|"]
            lines += [row(record) for record in sorted(members, key=mean_accuracy, reverse=True)] + [""]
    return "\n".join(lines)


def mean_accuracy(record):
    """Over the seeds."""
    return statistics.mean(record["accuracies"].values())


def row(record):
    """A line of the table."""
    accuracies, times = sorted(record["accuracies"].values()), record["times"]
    spread = f" ({accuracies[0]:.1%} to {accuracies[-1]:.1%})" if len(accuracies) > 1 else ""
    return (f"| {record['name']} | {mean_accuracy(record):.1%}{spread} | {len(accuracies)} | "
            f"{record['parameters'] / 1e6:.2f} M | {record['multiply_adds'] / 1e6:.0f} M | {1e3 * times['step']:.0f} | "
            f"{times['pictures_a_second']:,} | {record['lr']:g} | NumPy {record['numpy']}, {record['blas']}, "
            f"{record['loops']}, {record['date']} |")


def write(records):
    """Write page and picture; returns the path of the page."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    points = [{"name": record["name"], "group": group_of(record["name"]), "accuracy": mean_accuracy(record),
               "parameters (million)": record["parameters"] / 1e6,
               "multiply-adds (million)": record["multiply_adds"] / 1e6,
               "ms a step": 1e3 * record["times"]["step"],
               "pictures a second": record["times"]["pictures_a_second"]} for record in records]
    write_atomically(PICTURE, png(against_costs(points)))
    write_atomically(PAGE, page(records))
    return PAGE
