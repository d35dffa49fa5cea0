"""How Sphinx builds the documentation: ``make docs``.

Nothing is fetched from the network, and nothing of the machine or of the day goes into the pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

from txvaurien import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "txvaurien"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "vaurien_reference"]
exclude_patterns = ["_ext"]
nitpicky = True
# Other projects are not looked up, and signatures have types that no program uses by their names. `name` in
# a docstring is a link where that has an entry, and code where it has none.
nitpick_ignore_regex = [(r"py:(?:class|exc|obj)", r".*")]

default_role = "py:obj"
myst_enable_extensions = ["attrs_inline", "fieldlist"]
# Links to headings are those of the forges.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# There are two of that name; in signatures it is this one.
autodoc_type_aliases = {"Toxic": "txvaurien.clients.blockingproxy.Toxic"}
autodoc_default_options = {"members": True, "inherited-members": "object"}
# With an entry for each method a third of the time would be spent on copying them from page to page.
toc_object_entries = False
python_use_unqualified_type_names = True

# What stands in the pages can be copied: -- is no dash there.
smartquotes = False
highlight_language = "text"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = "txvaurien"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
