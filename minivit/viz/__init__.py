"""Pictures of training and of trained models, as matplotlib figures.

Every function returns a Figure, which a notebook shows and `png` turns into the bytes of a file. They need no display.
"""

from ..nn import attention_maps
from .architecture import architecture
from .attention import attention_picture
from .bars import speed_bars
from .confusion import confusion_matrix
from .costs import against_costs
from .curves import curves
from .drawing import drawings
from .figure import png
from .graph import graph_steps
from .level import level_line
from .overview import overview
from .page import page, rows_of_pictures
from .race import race
from .seed_dots import seed_dots
from .style import COLOURS, style
from .wirings import wirings
