"""The small data sets and the recipe of the tests of training."""

from tests.train.conftest import recipe, sets, small_data  # noqa: F401 (fixtures)
