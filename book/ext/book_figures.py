"""Figures: captions with numbers and addresses, the size of every image, and a link that enlarges it.

The caption of a notebook's figure is in its cell's metadata, beside the description for those who cannot see it:
`{"mystnb": {"figure": {"caption": "..."}, "image": {"alt": "..."}}}`. myst-nb makes a figure of it and Sphinx counts
the figures of a chapter; here the second of chapter 3 gets the address #figure-3-2 and its number as words. Over each
image of the text lies a link to the image's file, which figures.js turns into a button that enlarges it in the page.
When all pages are written, each <img> gets what a browser must know before the file has come: its width and height,
and whether it can wait until it is scrolled to.

With `book_figures_need_captions: true` in _config.yml a figure without a caption stops the build.
"""

import json
import posixpath
import re
import struct
import urllib.parse
from html import escape, unescape
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

DENSITY = 2  # pixels of a notebook's figure to one of the page: the setup cell draws for retina screens
LINK = "figure-enlarge"
SITES = {"html", "dirhtml", "singlehtml"}  # elsewhere, as in an EPUB, a link to a file of an image is none
CHAPTER = re.compile(r"notebooks/(\d\d)_\w+")

# ---------------------------------------------------------------- what a notebook says of its figures


def first_line(cell):
    return next((line for line in "".join(cell["source"]).splitlines() if line.strip()), "")


def figure_complaints(notebook, need_captions=False):
    """What is wrong with the captions of a notebook's cells: a list of sentences."""
    found = []
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        said = cell["metadata"].get("mystnb", {})
        caption, alt = (said.get(kind, {}).get(what) for kind, what in (("figure", "caption"), ("image", "alt")))
        shown = [o["data"] for o in cell["outputs"] if o["output_type"] in ("display_data", "execute_result")]
        drawn = sum(any(mime.startswith("image/") for mime in data) for data in shown)
        where = f"cell {index} ({first_line(cell)!r})"
        if caption is None:
            if need_captions and drawn:
                found.append(f"{where} draws a figure and has no caption, mystnb.figure.caption in its metadata")
            continue
        if not isinstance(caption, str) or not caption.strip():
            found.append(f"{where} has a caption that is empty or no text: {caption!r}")
            continue
        if len(shown) != 1 or drawn != 1:
            found.append(
                f"{where} has a caption, and what it shows is not one figure: {drawn} figures in {len(shown)} outputs"
            )
        if not alt:
            found.append(f"{where} has a caption and no description, mystnb.image.alt")
        if "\n\n" in caption.strip():
            found.append(f"{where} has a caption of several paragraphs; the site shows one")
        if re.match(r"\s*\W*fig(?:ure|\.)\s*\d", caption, re.I):
            found.append(
                f"{where} has a caption with a number of its own; the site numbers the figures: {caption[:40]!r}"
            )
    return found


class Addresses(SphinxTransform):
    """The id of each figure of a chapter, before Sphinx makes ids up (AutoNumbering, 210)."""

    default_priority = 205

    def apply(self, **kwargs):
        chapter = CHAPTER.fullmatch(self.env.docname)
        if not chapter:
            return
        path = Path(self.env.doc2path(self.env.docname))
        wrong = figure_complaints(json.loads(path.read_text(encoding="utf-8")), self.config.book_figures_need_captions)
        if wrong:
            raise ExtensionError(f"{self.env.docname}: " + "; ".join(wrong))
        figures = (f for f in self.document.findall(nodes.figure) if any(isinstance(c, nodes.caption) for c in f))
        for count, figure in enumerate(figures, 1):
            address = f"figure-{int(chapter[1])}-{count}"
            if address in self.document.ids:
                raise ExtensionError(f"{self.env.docname}: something else has the address #{address}, a figure's")
            figure["ids"].insert(0, address)
            self.document.ids[address] = figure


# ---------------------------------------------------------------- the page


class numbered_figure(nodes.figure):
    """A figure whose caption says its number. Sphinx's writer adds none to a node of another class."""


class enlargeable(nodes.General, nodes.Element):
    """An image on its plate, under a link to its file."""


def number_of(env, document, figure):
    """The number that Sphinx gave to a figure, as "3.2"; None outside the contents. Chapter 0 stands before the parts
    that Sphinx numbers, and its figures take their numbers from their addresses."""
    before = re.fullmatch(r"figure-0-(\d+)", figure["ids"][0]) if CHAPTER.fullmatch(document) else None
    if before:
        return f"0.{before[1]}"
    found = env.toc_fignumbers.get(document, {}).get("figure", {})
    numbers = next((found[i] for i in figure["ids"] if i in found), None)
    return numbers and ".".join(map(str, numbers))


class Figures(SphinxPostTransform):
    """Numbers become words of the caption, and images get their links. After myst-nb has chosen the images (4)."""

    default_priority = 400
    formats = ("html",)

    def run(self, **kwargs):
        for figure in list(self.document.findall(nodes.figure)):
            self.number(figure)
        if self.app.builder.name in SITES:
            pictures = 0
            for image in list(self.document.findall(nodes.image)):
                if not isinstance(image.parent, nodes.reference):
                    pictures += self.link(image, pictures)

    def number(self, figure):
        caption = next((child for child in figure if isinstance(child, nodes.caption)), None)
        number = caption and number_of(self.env, self.env.docname, figure)
        if not number:
            return
        if CHAPTER.fullmatch(self.env.docname) and figure["ids"][0] != "figure-" + number.replace(".", "-"):
            raise ExtensionError(
                f"{self.env.docname}: the figure with the address #{figure['ids'][0]} is number {number} by _toc.yml. "
                "A chapter's file begins with the number that it has in the contents."
            )
        new = numbered_figure("", *figure.children, **figure.attributes)
        new["number"] = number
        figure.replace_self(new)
        caption.insert(0, [nodes.inline("", f"Figure {number}.", classes=["caption-number"]), nodes.Text(" ")])

    def link(self, image, before):
        """Put an image under its link. Returns whether it counts as a picture of its own."""
        theme = next((c for c in ("only-light", "only-dark") if c in image["classes"]), None)
        figure = image.parent if isinstance(image.parent, numbered_figure) else None
        box = enlargeable(classes=[c for c in image["classes"] if c in ("only-light", "only-dark", "landing")])
        in_notebook = any(
            isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_output"
            for node in ancestors(image)
        )
        if in_notebook and image["uri"].endswith(".png") and "width" not in image:
            image["width"] = str(png_size((Path(self.env.srcdir) / image["uri"]).read_bytes())[0] // DENSITY)
        if figure is not None:
            box["name"] = f"figure {figure['number']}"
        else:  # two versions of a picture, for light pages and for dark ones, are one
            box["name"] = f"picture {before + (theme != 'only-dark')}"
        image.replace_self(box)
        box += image
        image["classes"].append("no-scaled-link")  # Sphinx would link an image with a width to its file, too
        return figure is None and theme != "only-dark"


def ancestors(node):
    while node.parent is not None:
        node = node.parent
        yield node


def visit_numbered(self, node):
    self.visit_figure(node)


def depart_numbered(self, node):
    self.depart_figure(node)


def visit_enlargeable(self, node):
    node[0]["classes"].remove("no-scaled-link")  # which has served
    self.body.append(self.starttag(node, "span", "", CLASS="figure-view") + '<span class="figure-plate">')


def depart_enlargeable(self, node):
    file = node[0]["uri"]  # which the visit of the image has made a path from this page
    self.body.append(
        f'</span><a class="{LINK}" href="{escape(file)}" aria-label="Enlarge {node["name"]}"></a></span>\n'
    )


def add_script(app, pagename, templatename, context, doctree):
    if LINK in context.get("body", ""):
        app.add_js_file("figures.js", loading_method="defer")


# ---------------------------------------------------------------- sizes

TAG = re.compile(r"<script\b.*?</script>|<article\b|</article>|<img\b[^>]*>", re.S | re.I)
ATTRIBUTE = re.compile(r"""([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")
PIXELS = re.compile(r"\s*width:\s*([\d.]+)(?:px)?\s*;?\s*")
VIEW = re.compile(r"""\bviewBox\s*=\s*["']\s*[\d.-]+[\s,]+[\d.-]+[\s,]+([\d.]+)[\s,]+([\d.]+)""")
SIDES = [re.compile(rf"""<svg\b[^>]*?\s{side}\s*=\s*["']([\d.]+)""") for side in ("width", "height")]


def png_size(data):
    """(width, height) in pixels."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is no PNG")
    return struct.unpack(">II", data[16:24])


def file_size(path):
    """(width, height) of a PNG, in pixels, or of an SVG, by its viewBox. Raises ValueError for anything else."""
    if path.suffix == ".png":
        return png_size(path.read_bytes())
    if path.suffix != ".svg":
        raise ValueError(f"its size is unknown, since it is neither a PNG nor an SVG: {path.name}")
    text = path.read_text(encoding="utf-8")
    view = VIEW.search(text)
    sides = view.groups() if view else [match[1] for match in (side.search(text) for side in SIDES) if match]
    if len(sides) != 2 or not all(float(side) for side in sides):
        raise ValueError(f"it has neither a viewBox nor a width and a height: {path.name}")
    return tuple(map(float, sides))


def attributes(tag):
    found = {}
    for match in ATTRIBUTE.finditer(re.sub(r"^<img\b|/?>$", "", tag)):
        found[match[1].lower()] = unescape(next((v for v in match.groups()[1:] if v is not None), ""))
    return found


def sized(held, size_of, lazy):
    """An <img> with width, height and, where it can wait, loading and decoding. `held` is what it has already."""
    declared = PIXELS.fullmatch(held.get("style", ""))
    if declared:
        held = {**held, "width": declared[1]}
        del held["style"]
    if not held.get("width", "").isdigit() or not held.get("height", "").isdigit():
        width, height = size_of(held.get("src", ""))
        wide = float(held["width"]) if re.fullmatch(r"[\d.]+", held.get("width", "")) else width
        held = {**held, "width": f"{round(wide)}", "height": f"{round(wide * height / width)}"}
    if lazy:
        held = {**held, "loading": "lazy", "decoding": "async"}
    return "<img " + " ".join(f'{name}="{escape(value)}"' for name, value in held.items()) + " />"


def with_sizes(html, size_of):
    """A page whose images all have their sizes. `size_of` maps an address to (width, height).

    What stands before the article is on the first screen, and so is the article's first image; all others wait. A
    picture for dark pages waits too: there it comes as soon as its place is known, elsewhere it never does.
    """
    place, first = "before", True

    def replace(match):
        nonlocal place, first
        tag = match[0]
        name = tag[:8].lower()
        if name.startswith("<article"):
            place = "in"
        elif name.startswith("</articl"):
            place = "after"
        if not name.startswith("<img"):
            return tag
        held = attributes(tag)
        lazy = place == "after" or place == "in" and (not first or "only-dark" in held.get("class", "").split())
        first = first and not (place == "in" and not lazy)
        return sized(held, size_of, lazy)

    return TAG.sub(replace, html)


def write_sizes(app, exception):
    """Give every <img> of every page its size, theme and templates included."""
    if exception is not None or app.builder.name not in SITES:
        return
    root, known = Path(app.outdir), {}
    for page in sorted(root.rglob("*.html")):
        name = page.relative_to(root)
        if name.parts[0] == "_static":
            continue

        def size_of(address, name=name):
            path = urllib.parse.unquote(urllib.parse.urlsplit(address).path)
            file = root / posixpath.normpath(posixpath.join(name.parent.as_posix(), path))
            try:
                if file not in known:
                    known[file] = file_size(file)
            except (OSError, ValueError) as error:
                raise ExtensionError(f"{name}: the size of the image {address!r} cannot be read: {error}") from None
            return known[file]

        before = page.read_text(encoding="utf-8")
        after = with_sizes(before, size_of)
        if after != before:
            page.write_text(after, encoding="utf-8", newline="\n")


def setup(app):
    app.add_config_value("book_figures_need_captions", False, "env", types=[bool])
    app.add_node(numbered_figure, html=(visit_numbered, depart_numbered))
    app.add_node(enlargeable, html=(visit_enlargeable, depart_enlargeable))
    app.add_transform(Addresses)
    app.add_post_transform(Figures)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_sizes, priority=800)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
