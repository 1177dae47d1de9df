"""What the README shows is what there is."""

import re
from pathlib import Path

import numpy as np
import pytest

from minivit import data
from minivit.__main__ import build_parser
from minivit.data import shapes10

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_code_runs_and_learns(monkeypatch, capsys):
    sets = shapes10.draw(1500, np.random.default_rng(0)), shapes10.draw(50, np.random.default_rng(1))
    monkeypatch.setattr(data, "load", lambda name: sets)
    code, = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    losses = [float(line) for line in capsys.readouterr().out.split()]
    assert len(losses) == 30
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_every_command_exists():
    commands = build_parser()[1]
    for name in re.findall(r"python -m minivit (\w+)", README):
        assert name in commands, name


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()
