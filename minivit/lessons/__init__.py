"""What the notebooks of `lessons/` use besides the library: pictures, a budget, a training loop for any objective."""

from .training import Pictures, accuracy, budget, fit, load_pictures
