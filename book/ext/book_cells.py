"""Code, folds, solutions and printed outputs as a reader meets them.

- A folded cell's code stands in a quiet fold that its own title names; neighbours such as setup and recap share a
  row; a study's fold holds the note that goes with it.
- A solution is one closed fold: its code, what the code printed, and what explains it, up to the next heading.
- Lines of code know their indentation, so that they can wrap and keep it in view.
- What a cell printed is typeset (cells_printed.py).

All of it is done on the doctree when a page has been read, so that other extensions and builders see plain nodes.
"""

import html
import itertools
import json
import re
from pathlib import Path

import cells_printed
from docutils import nodes
from pygments.formatters import HtmlFormatter
from sphinx.errors import ExtensionError

LONG_SOLUTION = 25  # lines of code; a longer solution has its code in a fold of its own
TITLE = re.compile(r"# @title (.+)\n?")
EXERCISE = re.compile(r"Exercise (\d+)")
COPIED = "div:not(.output) > div.highlight > pre"  # what has a button that copies it

# ---------------------------------------------------------------- nodes


class fold(nodes.General, nodes.Element):
    """What is hidden until it is asked for. Attributes: `title` (plain text), `kind` (a class of the style sheet)."""


class printed(nodes.General, nodes.Element):
    """What a cell printed. Attribute `html`; its child is the text as it was printed, for other builders and search."""


def visit_fold(self, node):
    ids = f' id="{html.escape(node["ids"][0])}"' if node["ids"] else ""
    self.body.append(f'<details class="fold fold-{node["kind"]}"{ids}>\n')
    self.body.append(f'<summary>{html.escape(node["title"], quote=False)}</summary>\n<div class="fold-body">\n')


def depart_fold(self, node):
    self.body.append("</div>\n</details>\n")


def visit_printed(self, node):
    self.body.append(f'<div class="{" ".join(node["classes"])} printed">{node["html"]}</div>\n')
    raise nodes.SkipNode


def passed(self, node):
    """Other builders show the children and no more."""


# ---------------------------------------------------------------- helpers


class Page:
    """A page that has been read, and complaints that name it."""

    def __init__(self, app, doctree):
        self.doctree, self.name = doctree, app.env.docname
        self.source = Path(app.env.doc2path(self.name))

    def wrong(self, text):
        return ExtensionError(f"{self.source.name}: {text}")

    def cells(self, *tags):
        """The code cells, or those that carry one of `tags`."""
        found = self.doctree.findall(lambda n: isinstance(n, nodes.container) and n.get("nb_element") == "cell_code")
        return [cell for cell in found if not tags or set(tags) & set(tags_of(cell))]


def tags_of(cell):
    return cell["cell_metadata"].get("tags", [])


def tagged(cell, prefix):
    """NAME where the cell carries the tag `prefix:NAME`, else None."""
    return next((tag.partition(":")[2] for tag in tags_of(cell) if tag.startswith(f"{prefix}:")), None)


def part(cell, kind):
    """The container of a cell's code or of its outputs, or None. The code may lie in a fold."""
    return next((n for n in cell.findall(nodes.container) if n.get("nb_element") == f"cell_code_{kind}"), None)


def wrap(children, **attributes):
    """Put neighbours into a fold that takes their place."""
    parent, at = children[0].parent, children[0].parent.index(children[0])
    around = fold(**attributes)
    for child in children:
        parent.remove(child)
    around.extend(children)
    parent.insert(at, around)
    return around


# ---------------------------------------------------------------- folds


def fold_code(page):
    """Every folded cell has its code in a fold of its title, and the comment with the title goes."""
    for cell in page.cells():
        if cell.attributes.pop("hide_mode", None) is None:
            continue
        source = part(cell, "source")
        block = source.children[0]
        title = TITLE.match(block.astext())
        if not title:
            raise page.wrong(f"a folded cell has no `# @title`: it begins {block.astext()[:50]!r}")
        text = block.astext()[title.end() :]
        block.rawsource, block.children = text, []
        block += nodes.Text(text)
        title = title[1].strip()
        if not text.strip():
            raise page.wrong(f"there is no code under the title {title!r}")
        kind = next((k for k in ("setup", "recap", "claims", "solution") if k in tags_of(cell)), "code")
        wrap([source], title=title, kind=kind)


def fold_studies(page):
    """The note of a study lies in its fold. Which paragraphs are the note, the notebook's tags say."""
    studies = [(tagged(cell, "study"), cell) for cell in page.cells()]
    studies = [(name, cell) for name, cell in studies if name]
    notebook = json.loads(page.source.read_text(encoding="utf-8"))["cells"] if studies else []
    for name, cell in studies:
        around = next(cell.findall(fold))
        around["kind"], around["title"] = "study", f"Study: {name.replace('_', ' ')}, measured beforehand"
        before = notebook[cell["cell_index"] - 1] if cell["cell_index"] else {}
        if f"study-note:{name}" not in before.get("metadata", {}).get("tags", []):
            raise page.wrong(f"the cell before the study {name} is not its note, tagged `study-note:{name}`")
        text = "".join(before["source"])
        for _ in re.split(r"\n\s*\n", text.strip()):
            note = cell.parent[cell.parent.index(cell) - 1]
            if not isinstance(note, nodes.paragraph):
                raise page.wrong(f"the note of the study {name} is not made of paragraphs only")
            cell.parent.remove(note)
            around.insert(0, note)


def join_rows(page):
    """Folds that have nothing under them and are neighbours, as setup and recap are, share a row."""

    def bare(node):
        return node.get("nb_element") == "cell_code" and len(node) == 1 and isinstance(node[0], fold)

    for cell in page.cells():
        parent, at = cell.parent, cell.parent.index(cell)
        if "fold-row" in parent["classes"] or not bare(cell):
            continue
        run = list(itertools.takewhile(lambda node: isinstance(node, nodes.container) and bare(node), parent[at:]))
        if len(run) > 1:
            row = nodes.container(classes=["fold-row"])
            for one in run:
                parent.remove(one)
            row.extend(run)
            parent.insert(at, row)


DETAILS = re.compile(r"\s*<details>\s*<summary>(.*?)</summary>\s*", re.S)


def fold_details(page):
    """`<details>` of the Markdown becomes a fold, with all that stands up to its end."""
    for raw in list(page.doctree.findall(nodes.raw)):
        text = raw.astext()
        if raw.get("format") != "html" or not re.search(r"</?details", text):
            continue
        if raw.parent is None or re.fullmatch(r"\s*</details>\s*", text):
            continue  # the end of one: it went with its beginning, or is seen to below
        title = DETAILS.fullmatch(text)
        if not title:
            raise page.wrong(
                "write `<details><summary>Title</summary>`, an empty line, the text, an empty line and `</details>`; "
                f"there is {text[:60]!r}"
            )
        parent, at = raw.parent, raw.parent.index(raw)
        inside = []
        for sibling in parent[at + 1 :]:
            if isinstance(sibling, nodes.raw) and "</details>" in sibling.astext():
                break
            if isinstance(sibling, nodes.section) or (
                isinstance(sibling, nodes.raw) and "<details" in sibling.astext()
            ):
                raise page.wrong(f"`</details>` is missing after {text.strip()!r}")
            inside.append(sibling)
        else:
            raise page.wrong(f"`</details>` is missing after {text.strip()!r}")
        if not inside:
            raise page.wrong(f"there is nothing between {text.strip()!r} and `</details>`")
        parent.remove(raw)
        parent.remove(sibling)
        wrap(inside, title=html.unescape(re.sub(r"<[^>]+>", "", title[1])).strip(), kind="details")
    for raw in page.doctree.findall(nodes.raw):
        if raw.get("format") == "html" and re.search(r"</?details", raw.astext()):
            raise page.wrong(f"{raw.astext().strip()!r} closes nothing")


ANSWERS = ("Answer", "Derivation", "Proof", "Solution")  # titles of `<details>`; a hint is none


def is_answer(node):
    """Where a solution begins: its cell, or the fold of one that is written in words."""
    if isinstance(node, fold):
        return node["kind"] == "details" and node["title"].startswith(ANSWERS)
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code" and "solution" in tags_of(node)


def fold_solutions(page):
    """From the first cell or `<details>` of an exercise's solution to the next heading all is one fold."""
    for section in page.doctree.findall(nodes.section):
        exercise = EXERCISE.fullmatch(section[0].astext())
        first = next((i for i, child in enumerate(section.children) if is_answer(child)), None)
        if not exercise or first is None:
            continue
        answer = section.children[first:]
        title = f"Solution to exercise {exercise[1]}"
        if any(isinstance(node, nodes.section) for node in answer):
            raise page.wrong(f"there is a heading inside the solution to exercise {exercise[1]}")
        around = wrap(answer, title=title, kind="solution")
        for inner in list(around.findall(fold)):
            if inner is around:
                continue
            if inner["kind"] == "solution" and inner["title"] != title:
                raise page.wrong(f"{inner['title']!r} stands under exercise {exercise[1]}")
            source = part(inner, "source")
            if source is not None and source.astext().count("\n") + 1 > LONG_SOLUTION:
                inner["title"], inner["kind"] = "Code", "code"
            else:
                inner.parent.replace(inner, inner.children)
    for cell in page.cells("solution"):
        node = cell
        while node is not None and not (isinstance(node, fold) and node["kind"] == "solution"):
            node = node.parent
        if node is None:
            raise page.wrong("a cell tagged `solution` stands under no heading `Exercise N`")


# ---------------------------------------------------------------- outputs


def typeset_outputs(page):
    """What was printed becomes tables, captions and lines that may wrap; where nothing of it is for a reader, no box
    is left. What holds colours of a terminal stays as it is."""
    for cell in page.cells():
        for block in list(cell.findall(nodes.literal_block)):
            if "output" not in block["classes"] or not {"stream", "text_plain"} & set(block["classes"]):
                continue
            text = block.astext()
            if "\x1b" in text:
                continue
            try:
                shown = cells_printed.printed(text, claimed="claims" in tags_of(cell))
            except ValueError as error:
                raise page.wrong(str(error)) from None
            if shown:
                new = printed(html=shown, classes=block["classes"])
                block.parent.replace(block, new)
                new += block
            else:
                block.parent.remove(block)
        output = part(cell, "output")
        if output is not None and not output.children:
            output.parent.remove(output)


def arrange(app, doctree):
    """All that is done to a page's doctree. Pages without cells have their `<details>` named and no more."""
    page = Page(app, doctree)
    fold_details(page)
    fold_code(page)
    fold_studies(page)
    fold_solutions(page)
    typeset_outputs(page)
    join_rows(page)


# ---------------------------------------------------------------- lines of code


INDENTED = re.compile(r"((?:<[^>]+>)*)( +)")  # a docstring's line begins with the docstring's element


class Lines(HtmlFormatter):
    """Each line is a span that knows how far it is indented, and its indentation one that no break can follow. The
    line's end is inside: a copy has it."""

    def wrap(self, source):
        return super().wrap(self.spans(source))

    def spans(self, source):
        for is_code, line in source:
            if not is_code:
                yield is_code, line
            elif indented := INDENTED.match(line):
                opened, spaces = indented.groups()
                line = f'{opened}<span class="indent">{spaces}</span>{line[indented.end() :]}'
                yield is_code, f'<span class="line" style="--i:{len(spaces)}">{line}</span>'
            else:
                yield is_code, f'<span class="line">{line}</span>'


def mark_lines(app):
    if app.builder.format == "html":
        app.builder.highlighter.formatter = Lines


def copy_code_only(app, config):
    config.copybutton_selector = COPIED


def add_script(app, pagename, templatename, context, doctree):
    if doctree is not None and any(doctree.findall(lambda n: isinstance(n, (fold, printed)))):
        app.add_js_file("cells.js", loading_method="defer")


def setup(app):
    for node, visit, depart in ((fold, visit_fold, depart_fold), (printed, visit_printed, passed)):
        others = {builder: (passed, passed) for builder in ("latex", "text", "man", "texinfo")}
        app.add_node(node, html=(visit, depart), **others)
    app.connect("config-inited", copy_code_only)
    app.connect("builder-inited", mark_lines)
    app.connect("doctree-read", arrange)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
