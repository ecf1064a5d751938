"""Set every formula when the site is built, so that no page needs a script for its mathematics.

KaTeX (book/vendor/katex) runs here, in the V8 of the package mini-racer. Of each formula it makes MathML, which screen
readers read, and HTML for the eye. A formula that KaTeX cannot set stops the build: the error names every such formula
of a page and where it stands. The style sheet and the fonts are linked on pages that hold a formula.
"""

import atexit
import base64
import functools
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset
from sphinx.util.math import get_node_equation_number

VENDOR = Path(__file__).resolve().parents[1] / "vendor" / "katex"
FOLDER = "katex"  # in _static
INSIDE = [f"KaTeX_{name}" for name in ("Main-Regular", "Math-Italic", "Size1-Regular", "Size2-Regular")]
SET = """function set(tex, displayMode) {
  const trust = ({command}) => { throw new Error(`${command} is not for formulas`); };  // it would be set in red
  const options = {displayMode, output: "htmlAndMathml", throwOnError: true, strict: "error", trust};
  try {
    return JSON.stringify([katex.renderToString(tex, options), null]);
  } catch (error) {
    return JSON.stringify([null, error.message]);
  }
}"""
NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|alignat|gather)\}")
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.S)
BETWEEN = re.compile(r'(?<!aria-hidden="true">)<span class="katex-base">')  # here a line may break
SHORT = 16  # characters of TeX; a formula in a sentence that has no more stays in one line
TOUCHING = re.compile(r"[^\s/\u2013\u2014]*\Z"), re.compile(r"[^\s/\u2013\u2014]*")  # what ends at a formula, or begins
CELL = 10_000  # myst-nb counts the lines of a notebook so: the first line of the second cell is 20002


class FormulaError(ValueError):
    """A formula that cannot be set, in KaTeX's words."""


@functools.cache
def engine():
    from py_mini_racer import MiniRacer

    context = MiniRacer()
    atexit.register(context.close)  # left to the end of Python, its thread may wait for ever
    context.eval((VENDOR / "katex.min.js").read_text(encoding="utf-8"))
    context.eval(SET)
    return context


@functools.cache
def set_formula(tex, display=False):
    """The HTML and the MathML of a formula. Raises FormulaError for one that KaTeX cannot set."""
    html, error = json.loads(engine().call("set", tex, display))
    if error:
        raise FormulaError(error.removeprefix("KaTeX parse error: "))
    return html if display or len(tex) <= SHORT else BETWEEN.sub(r"<wbr/>\g<0>", html)


def split(tex):
    """What a wide space parts, outside braces and environments: equations side by side."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"\\(?:begin|left|end|right|q?quad)(?![A-Za-z])|\\.|[{}]", tex, re.S):
        token = match[0]
        if token in (r"\begin", r"\left", "{"):
            depth += 1
        elif token in (r"\end", r"\right", "}"):
            depth -= 1
        elif depth == 0 and token.endswith("quad"):
            parts.append(tex[start : match.start()])
            start = match.end()
    return [part.strip() for part in (*parts, tex[start:]) if part.strip()]


def prepared(node):
    """What KaTeX is to set for a formula's node: several formulas where equations stand side by side.

    Sphinx numbers equations, so environments that would number themselves do not. Lines that are broken outside an
    environment are aligned at their &, as Sphinx has it.
    """
    tex = node.astext().strip()
    if isinstance(node, nodes.math):
        return [tex]
    tex = NUMBERED.sub(r"\\\1{\2*}", tex)
    if r"\\" in ENVIRONMENT.sub("", tex):
        return [rf"\begin{{split}}{tex}\end{{split}}"]
    return split(tex)


def set_node(node):
    return "".join(set_formula(tex, isinstance(node, nodes.math_block)) for tex in prepared(node))


def place(node):
    """Where a formula stands, as a writer would look for it."""
    line = next((n.line for n in ancestry(node) if n.line), None)
    source = next((n.source for n in ancestry(node) if n.source), "")
    if line is None:
        return source
    if source.endswith(".ipynb"):
        return f"{source}, cell {line // CELL}, line {line % CELL - 1}"
    return f"{source}, line {line}"


def ancestry(node):
    while node is not None:
        yield node
        node = node.parent


def complaint(node):
    """What is wrong with a formula, or None."""
    try:
        set_node(node)
    except FormulaError as error:
        return f"{place(node)}: `{node.astext().strip()}`: {error}"


def check(app, doctree):
    """All formulas of a page at once, when it is read."""
    formulas = doctree.findall(lambda node: isinstance(node, (nodes.math, nodes.math_block)))
    found = list(filter(None, map(complaint, formulas)))
    if found:
        raise ExtensionError("\n".join(["KaTeX cannot set", *found]))


def keep_with_words(app, doctree, docname):
    """Hold a formula in a sentence to what touches it: a browser would break a line even before its comma."""
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        i = parent.index(formula)
        before, after = (parent[k] if 0 <= k < len(parent) else None for k in (i - 1, i + 1))
        left = TOUCHING[0].search(before.astext())[0] if isinstance(before, nodes.Text) else ""
        right = TOUCHING[1].match(after.astext())[0] if isinstance(after, nodes.Text) else ""
        if not left and not right:
            continue
        held = nodes.inline("", nodes.Text(left), formula.deepcopy(), nodes.Text(right), classes=["held"])
        if right:
            parent[i + 1] = nodes.Text(after.astext()[len(right) :])
        parent[i] = held
        if left:
            parent[i - 1] = nodes.Text(before.astext()[: -len(left)])


def finished(node):
    """The formula that stands on the page. One that another extension made after `check` may be wrong still."""
    wrong = complaint(node)
    if wrong:
        raise ExtensionError(f"KaTeX cannot set\n{wrong}")
    return set_node(node)


def visit_inline(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(finished(node) + "</span>")
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(f'<div class="equations">{finished(node)}</div></div>\n')
    raise nodes.SkipNode


def style_sheet():
    """KaTeX's own, without the older formats of its fonts, and with the fonts of nearly every formula in it: one that
    comes after the page is drawn would move the lines."""
    css = (VENDOR / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)
    for font in INSIDE:
        data = base64.b64encode((VENDOR / "fonts" / f"{font}.woff2").read_bytes()).decode()
        css = css.replace(f"url(fonts/{font}.woff2)", f"url(data:font/woff2;base64,{data})")
    return css


def copy_katex(app):
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "katex.min.css").write_text(style_sheet(), encoding="utf-8")
    copy_asset(str(VENDOR / "LICENSE"), str(folder))
    copy_asset(str(VENDOR / "fonts"), str(folder / "fonts"), excluded=lambda path: Path(path).stem in INSIDE)


def link_katex(app, pagename, templatename, context, doctree):
    if 'class="katex' not in context.get("body", ""):
        return
    app.add_css_file(f"{FOLDER}/katex.min.css")
    if 'class="katex-display"' in context["body"]:
        app.add_js_file("math.js", loading_method="defer")


def setup(app):
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.connect("doctree-read", check)
    app.connect("doctree-resolved", keep_with_words)
    app.connect("builder-inited", copy_katex)
    app.connect("html-page-context", link_katex)
    # V8 starts where a formula is first set, and would not survive a fork: all pages are written in one process.
    return {"parallel_read_safe": True, "parallel_write_safe": False}
