"""Sphinx's settings for the website; `build` in __init__.py calls it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # the modules of this checkout, whatever is installed

from minivit.viz.palette import PALETTE  # noqa: E402

project, language = "minivit", "en"
author = copyright = "the authors of minivit"
html_title = "minivit"
extensions = ["myst_nb", "sphinx_copybutton",
              *(f"sphinx.ext.{name}" for name in ("autodoc", "napoleon", "viewcode", "mathjax")),
              *(f"minivit.lessons.site.{name}" for name in ("links", "names", "docstrings"))]
exclude_patterns = ["files", "extra"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the outputs are those of the committed full runs
nb_merge_streams = True
mathjax_path = "tex-svg.js"

autodoc_mock_imports = ["nvmath"]  # for GPUs; its absence must not cost a page
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = napoleon_use_rtype = False
highlight_language = "none"  # tables of shapes are not Python
default_role = "py:obj"  # `name` in a docstring leads to what it names, if it is ours
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = html_show_sphinx = False
html_last_updated_fmt = None
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_selector = "div.cell_input pre, div.highlight:not(.cell_output div) pre"

ROLES = {"color-brand-primary": "query", "color-brand-content": "query", "color-brand-visited": "class-token",
         "color-foreground-primary": "ink", "color-foreground-secondary": "quiet", "color-foreground-muted": "quiet",
         "color-background-primary": "page"}
colours = [{name: pair[side] for name, pair in PALETTE.items()} | {
    role: PALETTE[meaning][side] for role, meaning in ROLES.items()} for side in (0, 1)]
html_theme_options = {"light_css_variables": colours[0], "dark_css_variables": colours[1],
                      "navigation_with_keys": True, "top_of_page_buttons": []}


def setup(app):
    """Called by Sphinx: what is not a page lies beside the pages, not beside this file."""
    app.connect("config-inited", lambda app, config: setattr(config, "html_extra_path", [str(app.srcdir / "extra")]))
