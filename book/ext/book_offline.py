"""Load nothing from other sites, and on a page no more than it uses.

Jupyter Book registers thebe's loader on every page, and its extensions put their scripts and style sheets on all of
them, whether anything there is theirs or not.
"""

import os
import re

# What an extension puts on every page, and what a page holds that uses it.
TOGGLE, TABS, DESIGN = (rf'class="[^"]*\b{name}' for name in (r"(?:toggle|dropdown)\b", r"sd-tab-set\b", "sd-"))
CODE = r'class="highlight\b'
USED_BY = {
    "togglebutton.js": TOGGLE,
    "togglebutton.css": TOGGLE,
    "design-tabs.js": TABS,
    "sphinx-design.min.css": DESIGN,
    "clipboard.min.js": CODE,
    "copybutton.js": CODE,
    "copybutton.css": CODE,
}
SETTING_OF_TOGGLE = re.compile(r"\s*(?:let|var|const) toggle")  # in a script of its own, without a file

# Scripts that change what is on the page already: they can wait until it is read.
CAN_WAIT = {
    "clipboard.min.js",
    "copybutton.js",
    "sphinx-book-theme.js",
    "togglebutton.js",
    "design-tabs.js",
}


def drop_thebe(app, config):
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if not getattr(listener.handler, "__module__", "").startswith("sphinx_thebe")
        ]


def is_used(asset, body):
    """Whether a script or a style sheet has anything to do on a page."""
    file, script = os.path.basename(asset.filename or ""), asset.attributes.get("body") or ""
    if "thebe" in file or "thebe" in script:
        return False
    pattern = TOGGLE if SETTING_OF_TOGGLE.match(script) else USED_BY.get(file)
    return pattern is None or bool(re.search(pattern, body))


def patient(asset):
    if os.path.basename(asset.filename or "") not in CAN_WAIT:
        return asset
    return type(asset)(asset.filename, priority=asset.priority, **{**asset.attributes, "defer": "defer"})


def strip_assets(app, pagename, templatename, context, doctree):
    body = context.get("body", "")
    context["css_files"][:] = [sheet for sheet in context["css_files"] if is_used(sheet, body)]
    context["script_files"][:] = [patient(script) for script in context["script_files"] if is_used(script, body)]


def setup(app):
    app.connect("config-inited", drop_thebe)
    app.connect("html-page-context", strip_assets, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
