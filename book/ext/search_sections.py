"""The sections of a page as the search reads them, taken from the doctree before anything is drawn.

A section holds its own words, not those of the sections inside it. What a reader does not come to read is left out:
the setup cell, copies from earlier chapters, the stored numbers of studies, the code of claims, outputs and menus.
A term of the glossary and the solution of an exercise are sections of their own.
"""

import io
import keyword
import re
import tokenize
import unicodedata
from dataclasses import dataclass, field

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util import docname_join

LEFT_OUT = ("tag_setup", "tag_recap", "tag_claims")  # cells of which nothing is read
FOLDED = ("tag_hide-input", "tag_hide-cell", "tag_remove-input", "tag_remove-cell")  # cells whose code is not read
UNREAD = {"toctree-wrapper", "chapter-line", "printed-book"}  # menus, minutes, the link to the printed book
SKIPPED = (addnodes.toctree, addnodes.index, nodes.comment, nodes.target, nodes.title, nodes.substitution_definition)

# ---------------------------------------------------------------- formulas as words

SIGNS = {
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "times": "×", "cdot": "·",
    "pm": "±", "to": "→", "in": "∈", "infty": "∞", "odot": "⊙", "oplus": "⊕", "sum": "Σ", "prod": "Π", "top": "ᵀ",
    "partial": "∂", "nabla": "∇", "ell": "ℓ", "ldots": "…", "dots": "…", "cdots": "…", "lVert": "‖", "rVert": "‖",
    "Vert": "‖", "mid": "|", "sim": "~", "ll": "≪", "gg": "≫", "circ": "∘", "mapsto": "↦", "varepsilon": "ε",
    "rightarrow": "→", "leftarrow": "←", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "%": "%", "_": "_",
}  # fmt: skip
SPOKEN = ("log", "exp", "ln", "sin", "cos", "tanh", "max", "min", "argmax", "arg", "lim", "det", "gcd", "Pr")
STYLED = r"text\w*|math\w+|operatorname\*?|boldsymbol|[hb]ar|tilde|vec|dot|overline|underline|wide\w+|under\w+|over\w+"


def command(match):
    """What a reader would type or say for one command of TeX."""
    name = match[1]
    if name in SIGNS or name in SPOKEN:
        return f" {SIGNS.get(name, name)} "
    for case in ("SMALL", "CAPITAL"):
        if name == (name.lower() if case == "SMALL" else name.capitalize()):
            try:
                return unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
            except KeyError:
                pass
    return " "


def whole(tex):
    """A part of a formula, in brackets where it would otherwise fall apart."""
    tex = tex.strip()
    return tex if re.fullmatch(r"\\?\w+|\w*\([^()]*\)|[^\w(]?\d+", tex) else f"({tex})"


def spoken(tex):
    """A formula as words and plain signs: `\\frac{q^\\top k}{\\sqrt d}` is q^ᵀ k / sqrt(d)."""
    tex = re.sub(r"\\(?:begin|end)\s*\{\w+\*?\}(\{[lcr|]*\})?|\\\\|&|\\label\{[^}]*\}", " ", tex)
    tex = re.sub(r"\\(?:left|right|[bB]ig{1,2}[lr]?)(?![a-zA-Z])\s*\\?\.?", "", tex)
    tex = re.sub(r"\\[dt]?frac\s*(\d)\s*(\d)", r"\1/\2", tex)
    group = r"\{((?:[^{}\\]|\\[a-zA-Z]+|\\.)*)\}"  # innermost braces
    before = None
    while before != tex:
        before = tex
        tex = re.sub(rf"\\(?:{STYLED})\s*{group}", r"\1", tex)
        tex = re.sub(rf"\\sqrt\s*(?:\[\w+\])?\s*(?:{group}|(\\[a-zA-Z]+|\w))", lambda m: f"sqrt({m[1] or m[2]})", tex)
        tex = re.sub(rf"\\[dt]?frac\s*{group}\s*{group}", lambda m: f"{whole(m[1])} / {whole(m[2])}", tex)
        tex = re.sub(rf"([_^])\s*{group}", lambda m: m[1] + whole(m[2]), tex)
    tex = re.sub(r"\\([a-zA-Z]+|[%_])", command, tex)
    tex = re.sub(r"\\.|[{}$~]", " ", tex)
    tex = re.sub(r"\s+", " ", tex).strip()
    return re.sub(r"\s+([,.;:)^_])|([(^_])\s+", r"\1\2", tex)


# ---------------------------------------------------------------- words of nodes


def flat(text):
    return " ".join(text.split())


def words(node):
    """The text of a node as it is read: formulas as words, pictures as their descriptions."""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, (nodes.math, nodes.math_block)):
        return spoken(node.astext())
    if isinstance(node, nodes.image):
        return node.get("alt", "")
    if isinstance(node, addnodes.pending_xref) and node["reftype"] == "doc" and not node["refexplicit"]:
        return f"\x02{docname_join(node['refdoc'], node['reftarget'])}\x02"  # its title, once that is known
    if isinstance(node, (nodes.raw, nodes.footnote_reference, *SKIPPED)):
        return ""
    return "".join(words(child) for child in node.children)


def identifiers(code):
    """What a piece of Python calls, each name once, in the order they come in. Variables are not looked for."""
    found, name = {}, ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(re.sub(r"^\s*[%!].*", "", code, flags=re.M)).readline):
            if token.string == "(" and len(name) > 2:
                found[name] = None
            name = token.string if token.type == tokenize.NAME and not keyword.iskeyword(token.string) else ""
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass  # a piece that is not Python has the names read so far
    return list(found)


# ---------------------------------------------------------------- sections


@dataclass
class Section:
    anchor: str
    title: str
    path: list = field(default_factory=list)  # the titles it stands under, the page's own first
    kind: str = ""  # "term" of the glossary, "solution" of an exercise
    text: list = field(default_factory=list)  # prose, captions, descriptions of pictures: what excerpts are made of
    other: list = field(default_factory=list)  # tables and formulas on a line of their own
    terms: list = field(default_factory=list)  # what is set in italics
    names: list = field(default_factory=list)  # definitions taught here
    code: list = field(default_factory=list)  # names in visible code

    def add(self, where, text):
        text = flat(text)
        if text and text not in where:  # a picture for light pages and its twin for dark ones say the same
            where.append(text)


class Reader:
    """Reads one page. `sections` is what it found, in the order of the page."""

    def __init__(self, doctree):
        self.sections = []
        for node in doctree.children:
            if isinstance(node, nodes.section):
                self.section(node, [])

    def section(self, node, path):
        title = flat("".join(words(part) for part in node[0].children))
        if not node["ids"]:
            raise ExtensionError(f"the section {title!r} has no anchor that a search could lead to")
        here = Section(node["ids"][0], title, path)
        self.sections.append(here)
        for child in node.children:
            if isinstance(child, nodes.section):
                self.section(child, [*path, title])
            else:
                self.read(child, here)

    def read(self, node, into):
        """Add what a node says to a section, or to the section of its own that a solution is (book_cells)."""
        if not isinstance(node, nodes.Element):
            return
        classes = node["classes"]
        if node.get("kind") == "solution" and into.kind != "solution":
            into = Section(into.anchor, f"{into.title}, solution", into.path, "solution")
            self.sections.append(into)
        if isinstance(node, (nodes.raw, *SKIPPED)) or UNREAD & set(classes):
            return
        if "cell" in classes:
            self.cell(node, into, classes)
        elif isinstance(node, addnodes.glossary):
            for item in node.findall(nodes.definition_list_item):
                self.term(item, into)
        elif isinstance(node, (nodes.paragraph, nodes.caption, nodes.image)):
            into.add(into.text, words(node))
            for emphasis in node.findall(nodes.emphasis):
                into.add(into.terms, words(emphasis))
        elif isinstance(node, nodes.math_block):
            into.add(into.other, spoken(node.astext()))
        elif isinstance(node, nodes.table):
            for entry in node.findall(nodes.entry):
                into.add(into.other, words(entry))
        elif isinstance(node, nodes.literal_block):
            into.code += [name for name in identifiers(node.astext()) if name not in into.code]
        else:
            for child in node.children:
                self.read(child, into)

    def cell(self, node, into, classes):
        if any(name in LEFT_OUT or name.startswith("tag_study:") for name in classes):
            return
        into.names += [name.removeprefix("tag_define:") for name in classes if name.startswith("tag_define:")]
        folded = any(name in FOLDED for name in classes)
        for child in node.children:
            part = child.get("classes", [])
            if "cell_input" in part and not folded:
                self.read(child, into)
            elif "cell_output" in part:
                for picture in child.findall(lambda n: isinstance(n, (nodes.image, nodes.caption))):
                    into.add(into.text, words(picture))

    def term(self, item, into):
        terms = list(item.findall(nodes.term))
        entry = Section(terms[0]["ids"][0], " / ".join(flat(words(term)) for term in terms), [into.title], "term")
        for definition in item.findall(nodes.definition):
            entry.add(entry.text, words(definition))
        self.sections.append(entry)
