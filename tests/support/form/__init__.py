"""What the form of a chapter is checked for. Each check takes a notebook and its name, and returns complaints.

A complaint is a sentence that says what is wrong and, where it is not plain, what mends it. test_form.py applies the
checks to the book; test_form_catches.py plants the mistakes and sees each check complain. By what they check:
reading.py holds what all use, outputs.py what is stored, cells.py tags and folds, claims.py the end of a chapter,
prose.py the text, predictions.py its prompts, citations.py the bibliography, whole.py what spans chapters.
"""

from tests.support.form.cells import (
    NOTEBOOK_BYTES,
    VISIBLE_LINES,
    columns,
    definition_cells,
    first_cells,
    folds,
    ignored_outputs,
    known_tags,
    recap_length,
    records,
    tolerances,
    visible_lines,
)
from tests.support.form.citations import citations, is_cited, read_bibliography
from tests.support.form.claims import assertions, claims, exercises, no_clock, solutions
from tests.support.form.outputs import alt_text, captions, has_run, no_absolute_paths, no_stderr, no_widgets, stamp
from tests.support.form.predictions import predictions
from tests.support.form.prose import (
    avoided,
    links_stand_alone,
    page_prose,
    plain_markdown,
    plain_prose,
    prose_complaints,
)
from tests.support.form.whole import rebound, setup_cells, study_complaints

CHECKS = [
    stamp,
    has_run,
    no_widgets,
    no_stderr,
    no_absolute_paths,
    alt_text,
    captions,
    first_cells,
    folds,
    known_tags,
    ignored_outputs,
    tolerances,
    columns,
    records,
    definition_cells,
    recap_length,
    claims,
    assertions,
    no_clock,
    solutions,
    exercises,
    plain_markdown,
    links_stand_alone,
    plain_prose,
    predictions,
]

__all__ = [
    "CHECKS",
    "NOTEBOOK_BYTES",
    "VISIBLE_LINES",
    "avoided",
    "citations",
    "is_cited",
    "page_prose",
    "prose_complaints",
    "read_bibliography",
    "rebound",
    "setup_cells",
    "study_complaints",
    "visible_lines",
    *(check.__name__ for check in CHECKS),
]
