"""Prompts in a chapter's text, `<!-- predict: ... -->`, which only the site understands (book/ext/predict_prompts)."""

import sys

from tests.support.form.reading import MARKDOWN, markdown_cells
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import predict_prompts as prompts  # noqa: E402

MOST_PROMPTS = 3


def predictions(notebook, name):
    """Each prompt says all it must and stands by itself; a chapter asks at most three times. Whether the measurement is
    there, the build of the site says."""
    found, names = [], []
    for cell in markdown_cells(notebook):
        alone = [t.content.strip() for t in MARKDOWN.parse(cell.source) if t.type == "html_block" and not t.level]
        for comment in prompts.comments(cell.source):
            try:
                asked = prompts.parse(comment)
            except prompts.Malformed as error:
                found.append(f"the prompt {' '.join(comment.split())[:60]!r}: {error}")
                continue
            about = "end" if asked is None else asked.id
            if comment not in alone:
                found.append(f"the prompt {about!r} must stand in lines of its own, and in no list or quotation")
            if asked is not None:
                names.append(asked.id)
    found += [f"two prompts have the id {about!r}" for about in sorted({n for n in names if names.count(n) > 1})]
    if len(names) > MOST_PROMPTS:
        found.append(f"the chapter asks {len(names)} times; {MOST_PROMPTS} are the most")
    return found
