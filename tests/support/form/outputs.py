"""What is stored: outputs of the code as it is, without noise, with figures that are described."""

import re

from tests.support.form.reading import output_texts, quoted
from tools import notebooks as nb

ALT_LETTERS = 40
CAPTION_WORDS = (12, 60)
# The lookbehind lets addresses such as https://example.org/home/ pass.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/\-])/(?:work|home|root|tmp|Users)/[\w.\-]*|\bC:\\[\w\\]*")


def stamp(notebook, name):
    """The outputs were made by the code as it is."""
    if notebook.metadata.get("book", {}).get("source_hash") == nb.source_hash(notebook):
        return []
    return [f"the code has changed since the outputs were stored: run `make run NB={name[:2]}`, look, commit"]


def has_run(notebook, name):
    remedy = f"run `make run NB={name[:2]}`"
    found = [f"{quoted(c.source)} has not run: {remedy}" for c in nb.code_cells(notebook) if c.execution_count is None]
    for cell in nb.code_cells(notebook):
        if any(o.output_type == "error" for o in cell.outputs):
            found.append(f"{quoted(cell.source)} stored an error: mend it and {remedy}")
    return found


def no_widgets(notebook, name):
    found = ["the notebook's metadata hold widget state"] if "widgets" in notebook.metadata else []
    for cell in nb.code_cells(notebook):
        if any("widget" in mime for o in cell.outputs for mime in o.get("data", {})):
            found.append(f"{quoted(cell.source)} stored a widget, which readers of the site cannot see")
    return [f"{text}: run `make run NB={name[:2]}`, which leaves them out" for text in found]


def no_stderr(notebook, name):
    return [
        f"{quoted(c.source)} stored stderr: run `make run NB={name[:2]}`, which leaves it out"
        for c in nb.code_cells(notebook)
        if any(o.output_type == "stream" and o.name == "stderr" for o in c.outputs)
    ]


def no_absolute_paths(notebook, name):
    found = []
    for cell in notebook.cells:
        for text in (cell.source, *output_texts(cell)):
            found += [f"the path {m[0]} stands in {quoted(cell.source)}" for m in ABSOLUTE_PATH.finditer(text)]
    return found


def alt_text(notebook, name):
    """One figure a cell at most, described for those who cannot see it."""
    found = []
    for cell in nb.code_cells(notebook):
        drawn = sum(any(mime.startswith("image/") for mime in o.get("data", {})) for o in cell.outputs)
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if drawn > 1:
            found.append(f"{quoted(cell.source)} draws {drawn} figures, and there is one alt text a cell: divide it")
        if drawn and len(alt) < ALT_LETTERS:
            found.append(
                f"the figure of {quoted(cell.source)} has an alt text of {len(alt)} letters: say what it shows in "
                f'{ALT_LETTERS} or more, in the cell\'s metadata: {{"mystnb": {{"image": {{"alt": "..."}}}}}}'
            )
    return found


def captions(notebook, name):
    """Every figure has a caption that can be read alone, which the site numbers, and none has one without a figure."""
    found, (least, most) = [], CAPTION_WORDS
    for cell in nb.code_cells(notebook):
        drawn = any(mime.startswith("image/") for o in cell.outputs for mime in o.get("data", {}))
        mystnb = cell.metadata.get("mystnb", {})
        caption, alt = mystnb.get("figure", {}).get("caption", ""), mystnb.get("image", {}).get("alt", "")
        words = len(caption.split())
        remedy = 'in the cell\'s metadata: {"mystnb": {"figure": {"caption": "..."}}}'
        if drawn and not least <= words <= most:
            found.append(
                f"the caption of {quoted(cell.source)} has {words} words: say what the figure shows in {least} to "
                f"{most}, {remedy}"
            )
        if drawn and caption and caption == alt:
            found.append(f"the caption of {quoted(cell.source)} is its alt text: say what it means, {remedy}")
        if caption and not drawn:
            found.append(f"{quoted(cell.source)} has a caption and draws nothing")
    return found
