"""Sphinx configuration; build with ``sphinx-build -W docs docs/_build``."""

import logging
from importlib.metadata import version as version_of

project = "Sluice"
copyright = "the Sluice contributors"
release = version = version_of("sluice")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# A section without pages is no mistake, and Sphinx gives this warning no type to suppress it by.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: "toctree glob pattern" not in str(record.msg)
)
nitpicky = True
myst_heading_anchors = 3

html_theme = "alabaster"
html_theme_options = {
    "description": "Hardware that trains neural networks in little memory and low precision",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
