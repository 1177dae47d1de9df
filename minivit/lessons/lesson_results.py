"""What the lessons trained, read from the outputs of their committed runs: rows for the README's table of results."""

import json
import re

from .course import FOLDER

# Lesson, the model in words, the title of its progress bar, and the printed line that has its test accuracy in percent
TRAINED = (
    ("00_start_here", "ViT, mean of 3 seeds", "ViT, seed 0", r"ViT, two minutes +mean ([\d.]+)%"),
    ("03_attention", "two blocks whose attention the notebook wrote, mean of 3 seeds", "attention, 4 heads, seed 0",
     r"attention, 4 heads \(([\d.]+) %\)"),
    ("04_encoder_block", "twelve pre-norm blocks of the notebook, mean of 3 seeds", "pre-norm, seed 0",
     r"pre-norm +([\d.]+) % "),
    ("06_vit", "ViT, class token", "ViT, 64 patches", r"([\d.]+) % of the test pictures after 32,000"),
    ("11_deit", "ResNet with three blocks, the teacher", "the teacher", r"teacher is right for ([\d.]+) %"),
    ("11_deit", "DeiT, soft labels, mean of 3 seeds", "seed 0", r"soft, T = 1 .*mean ([\d.]+),"),
    ("17_swin", "Swin, mean of 3 seeds", "Swin, seed 0", r"Swin ([\d.]+) % \("),
    ("35_mae", "ViT on 2,000 labels, from scratch, mean of 3 seeds", "scratch, seed 0", r"from scratch ([\d.]+) %"),
    ("35_mae", "ViT on 2,000 labels, after MAE, mean of 3 seeds", "fine-tune, seed 0", r"fine-tuned +([\d.]+) %"),
)


def read_lesson_results():
    """Records like those of `minivit.lessons.results`: command, model, epochs, minutes, test_accuracy."""
    return [outcome(*row) for row in TRAINED]


def outcome(name, model, bar, line):
    """The record of one model. Epochs are counted in 50,000 pictures, minutes are those of one seed.

    Raises
    ------
    ValueError
        If the notebook has not printed the line, or shown the progress bar to its end.
    """
    path = FOLDER / f"{name}.ipynb"
    text = "\n".join("".join(output.get("text", ()))
                     for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
                     for output in cell.get("outputs", ()))
    printed = re.search(line, text)
    shown = re.findall(rf"^{re.escape(bar)}: 100%.*?([\d.]+)k/\1k \[(\d+):(\d+)<", text, flags=re.MULTILINE)
    if not (printed and shown):
        raise ValueError(f"{path}: expected in its outputs a progress bar {bar!r} and a line that matches {line!r}")
    thousands, minutes, seconds = map(float, shown[-1])
    return {"command": f"python -m minivit lesson {int(name[:2])} --run", "model": model, "epochs": thousands / 50,
            "minutes": round(minutes + seconds / 60, 1), "test_accuracy": round(float(printed[1]) / 100, 3)}
