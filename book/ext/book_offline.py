"""Keep every request on the site itself: MathJax from a pip package, no thebe.

Sphinx would load MathJax from a CDN, and Jupyter Book registers thebe's loader on every page.
"""

from importlib.util import find_spec
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

MATHJAX = "tex-svg-full.js"  # one self-contained file: glyphs and extensions are inside


def drop_thebe(app, config):
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if not getattr(listener.handler, "__module__", "").startswith("sphinx_thebe")
        ]


def strip_assets(app, pagename, templatename, context, doctree):
    for kind in ("css_files", "script_files"):
        context[kind] = [
            asset for asset in context.get(kind, []) if "thebe" not in str(getattr(asset, "filename", asset) or "")
        ]


def copy_mathjax(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    package = find_spec("sphinx-mathjax-offline")
    source = package and Path(package.origin).parent / "static" / "mathjax" / MATHJAX
    if not source or not source.is_file():
        raise ExtensionError(
            f"{MATHJAX} was not found in the package sphinx-mathjax-offline: run `pip install -r requirements.txt`"
        )
    copy_asset(str(source), str(Path(app.outdir) / "_static" / "mathjax"))


def setup(app):
    app.connect("config-inited", drop_thebe)
    app.connect("html-page-context", strip_assets, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
