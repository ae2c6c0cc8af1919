"""Sphinx configuration: `make docs`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

project = "fastcore"
author = "The fastcore developers"
copyright = author
release = version = runpy.run_path(str(ROOT / "fastcore" / "_version.py"))["__version__"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "public_names"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
nitpicky = False
toc_object_entries = False  # a page of the reference begins with a table of its names
suppress_warnings = ["ref.python"]  # an attribute that several classes have is a link to none of them

html_theme = "furo"
html_title = f"fastcore {release}"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["tables.js"]
# Pages stand alone: no font, script or image is fetched from elsewhere.
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
