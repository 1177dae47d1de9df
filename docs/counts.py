"""Write counts.md, what models cost beside the figures of the literature: python -m docs.counts

Counted is at full size, by running the shapes (minivit/counting.py): no weight is allocated.
"""

from pathlib import Path

from minivit import create
from minivit.counting import count
from tests.known import collect

PATH = Path(__file__).with_suffix(".md")
TABLES = collect("FIGURES")


def deviation(value, printed):
    """How far a value is from a printed figure: 0.0 if it rounds to it."""
    unit = 10.0 ** -len(printed.partition(".")[2])
    return 0.0 if abs(value - float(printed)) <= 0.5000001 * unit else value / float(printed) - 1


def measure(table):
    """For each line of a table: itself, and (counted, printed) of the parameters and of the operations."""
    for line in table.lines:
        counted = count(create(line.architecture, line.variant, **table.settings), (1, table.pixels, table.pixels, 3))
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
