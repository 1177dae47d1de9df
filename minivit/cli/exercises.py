"""python -m minivit exercises, check, grade: what the grading package offers."""

from ..grading.cli import add_commands as add_commands
