"""Cells and their tags: what is folded, what is compared, what a definition is."""

import ast
import json
import re

import nbformat

from tests.support.form.reading import cells_tagged, headings, markdown_cells, quoted
from tools import notebooks as nb

SETUP_LINES, CLASS_LINES, RECAP_LINES, COLUMNS = 100, 62, 230, 88
# Chapters 8 and 9 train readers in chapter 7's loop. Part IV brings models back whole: two translators and both ways of
# decoding; a reader, a letter model and their loops.
RECAP_LINES_OF = {"08": 240, "09": 280, "13": 400, "14": 260}
DATA_RECAPS = {"load_cmudict", "showcase_words", "word_families", "split_by_family"}
IGNORED_CELLS = 3
BARS = 2  # setup, and what comes from earlier chapters
VISIBLE_LINES = 350
NOTEBOOK_BYTES = 1_500_000
MOST = {"rtol": 0.01, "atol": 0.01}  # the largest tolerances that a cell may give itself
VAGUE = ("Code", "Draw the next figure", "The code of the next figure")
PLAIN_TAGS = {
    *("setup", "recap", "claims", "timing", "trained", "by-head", "solution", "hide-input", "nbval-ignore-output"),
}
NAMED_TAGS = ("define", "study", "study-note")


def first_cells(notebook, name):
    """A title, then the setup cell and that of the copies; nothing else is folded before the first section."""
    found = []
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        found.append("the first cell must be markdown that begins with the title, `# ...`")
    titles = [text for c in markdown_cells(notebook) for level, text in headings(c.source) if level == 1]
    if len(titles) != 1:
        found.append(f"a chapter has one title (`# ...`); this one has {len(titles)}: {titles}")
    for tag, least in (("setup", 1), ("recap", 0)):
        count = len(cells_tagged(notebook, tag))
        if not least <= count <= 1:
            found.append(f"{count} cells are tagged `{tag}`; there must be one")
    code = [c for c in notebook.cells if c.cell_type == "code"]
    if not code or "setup" not in nb.tags(code[0]):
        found.append("the first code cell must be the one tagged `setup`")
    if cells_tagged(notebook, "recap") and "recap" not in nb.tags(code[1]):
        found.append("the second code cell must be the one tagged `recap`")
    before = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and any(level == 2 for level, _ in headings(cell.source)):
            break
        if cell.cell_type == "code" and nb.is_folded(cell):
            before.append(cell)
    if len(before) > BARS:
        found.append(f"{len(before)} folded bars stand before the first section; {BARS} are the most")
    return found


def known_tags(notebook, name):
    return [
        f"{quoted(c.source)} has the tag `{tag}`, which means nothing here"
        for c in notebook.cells
        for tag in nb.tags(c)
        if tag not in PLAIN_TAGS and not re.fullmatch(rf"(?:{'|'.join(NAMED_TAGS)}):\w+", tag)
    ]


def ignored_outputs(notebook, name):
    """Nothing is left unchecked lightly."""
    found = []
    ignored = cells_tagged(notebook, "nbval-ignore-output")
    if len(ignored) > IGNORED_CELLS:
        found.append(f"{len(ignored)} cells are tagged `nbval-ignore-output`; {IGNORED_CELLS} are allowed")
    for cell in notebook.cells:
        bad = {"nbval-skip", "nbval-raises-exception", "raises-exception"} & set(nb.tags(cell))
        if cell.cell_type == "code":
            bad |= set(re.findall(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", cell.source))
        found += [f"{quoted(cell.source)} carries {mark}, which hides failures" for mark in sorted(bad)]
    return found


def definition_cells(notebook, name):
    """A definition is one function or class, documented, and short."""
    found = []
    for cell in notebook.cells:
        defined = nb.tagged(cell, "define")
        if defined is None:
            continue
        body = nb.parse(cell.source).body
        kinds = (ast.FunctionDef, ast.ClassDef)
        if len(body) != 1 or not isinstance(body[0], kinds) or body[0].name != defined:
            found.append(f"the cell define:{defined} must hold one function or class of that name, and nothing else")
            continue
        if not ast.get_docstring(body[0]):
            found.append(f"{defined} has no docstring")
        lines = body[0].end_lineno - body[0].lineno + 1
        if isinstance(body[0], ast.ClassDef) and lines > CLASS_LINES:
            found.append(f"the class {defined} takes {lines} lines; {CLASS_LINES} are the most that one can take in")
    return found


def recap_length(notebook, name):
    """The 53 lines that load and split the dictionary are the same in every chapter that reads it, and do not count."""
    lines = 0
    for cell in cells_tagged(notebook, "recap"):
        for node in nb.parse(cell.source).body:
            if getattr(node, "name", None) not in DATA_RECAPS:
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
                source = "\n".join(cell.source.splitlines()[first - 1 : node.end_lineno])
                lines += len(nb.code_only(source).splitlines())
    most = RECAP_LINES_OF.get(name[:2], RECAP_LINES)
    if lines <= most:
        return []
    return [f"the copies hold {lines} lines of code beside the data's; past {most} a chapter is two chapters"]


def folds(notebook, name):
    """A folded cell has a title, which its first line gives and its metadata repeat; others have no such metadata."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        copy = nbformat.from_dict(json.loads(json.dumps(cell)))
        try:
            nb.fold(copy)
        except nb.BookError as error:
            found.append(str(error))
            continue
        if copy.metadata != cell.metadata:
            found.append(f"{quoted(cell.source)} is not folded as its tags say: `make run NB={name[:2]}` writes that")
        if nb.title(cell) in VAGUE:
            found.append(f"the title {nb.title(cell)!r} does not say what the cell does")
    return found


def columns(notebook, name):
    """No line of code is longer than a page shows. A study's numbers are broken where a number ends."""
    return [
        f"a line of {len(line)} characters, {COLUMNS} are the most, in {quoted(cell.source)}: {quoted(line)}"
        for cell in nb.code_cells(notebook)
        if nb.tagged(cell, "study") is None
        for line in cell.source.splitlines()
        if len(line) > COLUMNS
    ]


def visible_lines(notebook):
    """The lines of code that a reader sees without unfolding anything."""
    return sum(len(c.source.strip().splitlines()) for c in nb.code_cells(notebook) if not nb.is_folded(c))


def tolerances(notebook, name):
    """A cell's own tolerance is small: what needs more room depends on a training, and is tagged `trained`."""
    found = []
    for cell in nb.code_cells(notebook):
        for key, value in cell.metadata.get("nbval", {}).items():
            if key not in MOST or not 0 < value <= MOST[key]:
                found.append(
                    f"{quoted(cell.source)} has the tolerance {key} {value}; "
                    f"{MOST.get(key, 'rtol and atol')} is the most. If it depends on a training, "
                    f"`make run NB={name[:2]} ELSEWHERE=1` tags it"
                )
    return found


def records(notebook, name):
    """A record is a result that is compared: none stands in a cell whose output is not."""
    return [
        f"{quoted(c.source)} records a result and is tagged `{tag}`, so nothing compares it"
        for c in nb.code_cells(notebook)
        for tag in ("timing", "nbval-ignore-output")
        if tag in nb.tags(c) and re.search(r"\brecord(?:_curve)?\(", c.source)
    ]
