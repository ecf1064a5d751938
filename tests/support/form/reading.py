"""Reading a notebook: its prose, links, headings and outputs."""

import json
import re

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools import notebooks as nb

MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def quoted(text, length=60):
    text = " ".join(text.split())
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def markdown_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "markdown"]


def cells_tagged(notebook, tag):
    return [c for c in notebook.cells if tag in nb.tags(c)]


def pieces(source):
    """The leaves of a markdown text in reading order: (kind, text, inside a block quote)."""
    depth = 0
    for token in MARKDOWN.parse(source):
        depth += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        if token.type == "inline":
            for child in token.children:
                yield child.type, child.content, depth > 0
                if child.type == "image":
                    yield "text", child.content, depth > 0
            yield "end", "", depth > 0
        else:
            yield token.type, token.content, depth > 0


def prose(source, with_quotes=True):
    """The words of a markdown text: no code, no mathematics, no markup, and no quotations unless asked for."""
    words = []
    for kind, text, quote in pieces(source):
        if quote and not with_quotes:
            continue
        if kind == "text":
            words.append(text)
        elif kind in ("softbreak", "hardbreak", "end"):
            words.append("\n")
        elif kind == "html_block":
            words.append(re.sub(r"<!--.*?-->|<[^>]*>", " ", text, flags=re.S))
        elif kind in ("code_inline", "math_inline", "math_inline_double"):
            words.append("`")  # something stood here: two words do not become neighbours
    return "".join(words)


def links(source):
    """[(text, address)] of the links of a markdown text, and [address] of its images."""
    found, images = [], []
    for token in MARKDOWN.parse(source):
        address, text = None, ""
        for child in token.children or []:
            if child.type == "link_open":
                address, text = child.attrGet("href"), ""
            elif child.type == "link_close":
                found.append((text, address))
                address = None
            elif child.type == "image":
                images.append(child.attrGet("src"))
            elif address is not None:
                text += " " if child.type == "softbreak" else child.content
    return found, images


def headings(source):
    """[(level, text)]"""
    found, level = [], None
    for kind, text in (
        (t.type + (t.tag if t.type == "heading_open" else ""), t.content) for t in MARKDOWN.parse(source)
    ):
        if kind.startswith("heading_open"):
            level = int(kind[-1])
        elif kind == "inline" and level:
            found.append((level, text))
            level = None
    return found


def story(notebook):
    """What comes in which order: ("heading", level, text), ("details",), ("code", tags)."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield ("code", nb.tags(cell))
            continue
        level = None
        for token in MARKDOWN.parse(cell.source):
            if token.type == "heading_open":
                level = int(token.tag[1])
            elif token.type == "inline" and level:
                yield ("heading", level, token.content)
                level = None
            elif token.type == "html_block" and "<details" in token.content:
                yield ("details",)


def output_texts(cell):
    """Every text that a cell's outputs hold, pictures aside."""
    for output in cell.get("outputs", []):
        if "text" in output:
            yield output.text
        yield from output.get("traceback", [])
        for mime, data in output.get("data", {}).items():
            if not mime.startswith("image/") or mime == "image/svg+xml":
                yield data if isinstance(data, str) else json.dumps(data)
