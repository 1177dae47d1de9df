"""Write counts.md, what models cost beside the figures of the literature: python -m docs.counts

Counted is at full size, by running the shapes (minivit/counting.py): no weight is allocated.
"""

from pathlib import Path
from typing import NamedTuple

from minivit import create
from minivit.counting import count

PATH = Path(__file__).with_suffix(".md")


class Line(NamedTuple):
    """A line of a paper's table: millions of parameters, billions of operations, as printed there.

    `why` explains what deviates by more than 1 %.
    """

    name: str
    architecture: str
    variant: str
    parameters: str
    operations: str = ""
    why: str = ""


class Table(NamedTuple):
    """A paper's table; `factor` is 2 where multiplications and additions are counted apart."""

    title: str
    operations: str
    factor: int
    settings: dict
    lines: list


TOKEN = "the class token is one of {} tokens; the figure lies between ours with it and without ({})"
STRIDE = ("the paper's bottlenecks carry the stride in their first convolution, which then costs 0.23 G less: {}; "
          "ours in the second, as torchvision and timm")
TABLES = [
    Table("ViT: Dosovitskiy et al., arXiv:2010.11929, table 1", "multiply-adds", 1, {}, [
        Line("ViT-Base", "vit", "B/16", "86"), Line("ViT-Large", "vit", "L/16", "307"),
        Line("ViT-Huge", "vit", "H/14", "632")]),
    Table("ViT: Zhai et al., arXiv:2106.04560, table 2 (without head)", "multiplications and additions", 2,
          {"num_classes": 0}, [
              Line("s/28", "vit", "s/28", "5.4", "0.7"), Line("s/16", "vit", "s/16", "5.0", "2.2"),
              Line("S/32", "vit", "S/32", "22", "2.3"), Line("Ti/16", "vit", "Ti/16", "5.5", "2.5"),
              Line("B/32", "vit", "B/32", "87", "8.7", TOKEN.format(50, "8.64")),
              Line("S/16", "vit", "S/16", "22", "9.2"),
              Line("B/28", "vit", "B/28", "87", "11.3", TOKEN.format(65, "11.25")),
              Line("B/16", "vit", "B/16", "86", "35.1"), Line("L/16", "vit", "L/16", "303", "122.9"),
              Line("g/14", "vit", "g/14", "1011", "533.1"), Line("G/14", "vit", "G/14", "1843", "965.3")]),
    Table("DeiT without distillation, which is ViT: Liu et al., arXiv:2103.14030, table 1", "multiply-adds", 1, {}, [
        Line("DeiT-S", "vit", "small", "22", "4.6"), Line("DeiT-B", "vit", "base", "86", "17.5")]),
    Table("DeiT, distilled: Touvron et al., arXiv:2012.12877, table 5", "multiply-adds", 1, {}, [
        Line("DeiT-Ti", "deit", "tiny", "6"), Line("DeiT-S", "deit", "small", "22"),
        Line("DeiT-B", "deit", "base", "87")]),
    Table("Swin: Liu et al., arXiv:2103.14030, table 1", "multiply-adds", 1, {}, [
        Line("Swin-T", "swin", "tiny", "29", "4.5", "the authors' repository says 28 M"),
        Line("Swin-S", "swin", "small", "50", "8.7"),
        Line("Swin-B", "swin", "base", "88", "15.4")]),
    Table("ResNet: multiply-adds of He et al., arXiv:1512.03385, table 1; parameters as torchvision lists them",
          "multiply-adds", 1, {}, [
              Line("ResNet-18", "resnet", "18", "11.7", "1.8"),
              Line("ResNet-34", "resnet", "34", "21.8", "3.6", "the paper's shortcuts of this network have no "
                   "projections, which cost 0.02 G here: 3.64 without"),
              Line("ResNet-50", "resnet", "50", "25.6", "3.8", STRIDE.format("3.86, of which the paper prints 3.8")),
              Line("ResNet-101", "resnet", "101", "44.5", "7.6", STRIDE.format("7.57")),
              Line("ResNet-152", "resnet", "152", "60.2", "11.3", STRIDE.format("11.28"))]),
]


def deviation(value, printed):
    """How far a value is from a printed figure: 0.0 if it rounds to it."""
    unit = 10.0 ** -len(printed.partition(".")[2])
    return 0.0 if abs(value - float(printed)) <= 0.5000001 * unit else value / float(printed) - 1


def measure(table):
    """For each line of a table: itself, and (counted, printed) of the parameters and of the operations."""
    for line in table.lines:
        counted = count(create(line.architecture, line.variant, **table.settings), (1, 224, 224, 3))
        yield (line, (counted.parameters / 1e6, line.parameters),
               (table.factor * counted.multiply_adds / 1e9, line.operations))


def beside(value, printed):
    """Two cells: what was counted, and what is printed, with the deviation where rounding does not explain it."""
    if not printed:
        return f"{value:.2f} | "
    off = deviation(value, printed)
    return f"{value:.2f} | {printed}" + (f" ({off:+.1%})" if off else "")


def page():
    """The text of counts.md."""
    parts = ["# What models cost, and what the literature says\n",
             "Written by `python -m docs.counts`; `python -m minivit models` counts every variant that there is. All "
             "models read 224 x 224 pixels and have 1000 classes where nothing else is said. A deviation in percent "
             "stands beside a figure that ours does not round to.\n"]
    for table in TABLES:
        parts.append(f"## {table.title}\n")
        parts.append(f"| | `create` | parameters, M | literature | {table.operations}, G | literature | why |\n"
                     "|---|---|---|---|---|---|---|")
        parts += [f"| {line.name} | `{line.architecture}`, `{line.variant}` | {beside(*parameters)} | "
                  f"{beside(*operations)} | {line.why} |" for line, parameters, operations in measure(table)]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
    print(f"wrote {PATH}")
