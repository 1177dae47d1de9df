"""What pyproject.toml cannot say: running needs what requirements.txt lists, but for the package itself."""

from pathlib import Path

from setuptools import setup

lines = [line.partition("#")[0].strip() for line in Path("requirements.txt").read_text(encoding="utf-8").splitlines()]
setup(install_requires=[line for line in lines if line and not line.startswith("-")])
