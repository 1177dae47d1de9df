"""Kernels that nbval starts find minivit, installed or not, and draw into the notebook."""

import os

from minivit.lessons.execute import kernel_environment

os.environ.update(kernel_environment())
os.environ.pop("MPLBACKEND", None)
