"""The book as a whole: one setup cell, one meaning for a name, studies that say where they come from."""

import json

from tests.support.form.cells import SETUP_LINES
from tests.support.form.reading import cells_tagged, quoted
from tools import notebooks as nb

STUDY_BYTES = 20_000


def setup_cells(notebooks):
    """The setup cell, the same everywhere. Takes {name: notebook}."""
    found, first = [], None
    for name, notebook in notebooks.items():
        for cell in cells_tagged(notebook, "setup"):
            lines = len(cell.source.strip().splitlines())
            if lines > SETUP_LINES:
                found.append(f"{name}: the setup cell takes {lines} lines; {SETUP_LINES} are allowed")
            first = first or (name, cell.source)
            if cell.source != first[1]:
                found.append(
                    f"{name}: the setup cell differs from {first[0]}'s: "
                    f"copy one to the other, then `make run NB={name[:2]}`"
                )
    return found


def rebound(notebook, defined):
    """Names of definitions that another cell binds again: one name has one meaning in the whole book."""
    found = []
    for cell in nb.code_cells(notebook):
        if "recap" in nb.tags(cell):
            continue
        for name in sorted((nb.bound_names(cell.source) & set(defined)) - {nb.tagged(cell, "define")}):
            found.append(f"{quoted(cell.source)} binds {name}, which is a definition of the book: choose another name")
    return found


def study_complaints(text):
    """Complaints about the stored result of a study, given as the text of its file."""
    found = []
    if len(text.encode()) > STUDY_BYTES:
        found.append(f"it takes {len(text.encode())} bytes; {STUDY_BYTES} is the most that a chapter can carry")
    study = json.loads(text)
    missing = [
        key for key in ("study", "about", "command", "machine", "seconds", "definitions", "results") if key not in study
    ]
    if missing:
        found.append(f"it does not say its {', '.join(missing)}")

    def seeds(node):
        if isinstance(node, dict):
            return any(key in ("seed", "seeds") or seeds(value) for key, value in node.items())
        return isinstance(node, list) and any(map(seeds, node))

    if not seeds(study.get("results", {})):
        found.append("its results do not say which seeds they come from (a key `seeds` or `seed`)")
    return found
