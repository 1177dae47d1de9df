"""Recipes that were run: each file's docstring has the command, the machine and what came out."""
