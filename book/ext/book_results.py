"""The results page, whose every number is a line in a notebook's stored outputs.

A chapter prints `record | task | model | metric | value`, its timing cells `timed | task | model | minutes`; nothing is
typed into the page. results_declared.py says what the page shows, results_records.py reads the lines and makes the
tables, results_figure.py draws. `results-table NAME` makes a table, `results-figure NAME` draws its error against its
arithmetic, `results-signature TASK` shows a line `signature | task | text`. What is missing stops the build, and so do
a result that two chapters give differently, a dash where there is a number, and a result that is shown nowhere.
"""

import os
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from results_declared import (
    BITS,
    COST,
    MINUTES,
    NOT_SHOWN,
    OPERATIONS,
    PARAMETERS,
    PHONEMES,
    SACREBLEU,
    TABLES,
    TUTORIAL,
    WORDS,
    Column,
    Row,
    Table,
    chosen,
)
from results_figure import LOOKS, THEMES, alt_text, draw, points, render
from results_records import ROOT, Records, check_declared, on_page, table_lines
from written import Written

__all__ = [  # what the tests ask this module for
    "BITS", "COST", "LOOKS", "MINUTES", "NOT_SHOWN", "OPERATIONS", "PARAMETERS", "PHONEMES", "ROOT", "SACREBLEU",
    "TABLES", "THEMES", "TUTORIAL", "WORDS", "Column", "Records", "Row", "Table", "alt_text", "check_declared",
    "chosen", "draw", "on_page", "points", "render", "setup", "table_lines",
]  # fmt: skip


class Results(Written):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        records = Records(ROOT / "notebooks")
        check_declared(records)
        for path in (*records.paths, *Path(__file__).parent.glob("*results*.py")):
            self.env.note_dependency(str(path))
        return self.make(self.arguments[0], records)


class ResultsTable(Results):
    def make(self, name, records):
        return self.parse(table_lines(chosen(name), records))


class ResultsFigure(Results):
    option_spec = {"caption": directives.unchanged_required}

    def make(self, name, records):
        """One image for light pages and one for dark ones, drawn into the build beside Sphinx's own files."""
        table = chosen(name)
        folder = Path(self.env.app.doctreedir) / "results"
        folder.mkdir(parents=True, exist_ok=True)
        here = Path(self.env.doc2path(self.env.docname)).parent
        images = []
        for theme in THEMES:
            path = folder / f"results-{name}-{theme}.svg"
            path.write_bytes(render(table, records, theme))
            image = nodes.image(uri=Path(os.path.relpath(path, here)).as_posix(), alt=alt_text(table, records))
            image["classes"] += [f"only-{theme}", "landing"]
            image["width"] = "640px"
            images.append(image)
        if "caption" not in self.options:
            return images
        box = nodes.container(classes=["captioned"])
        said = self.options["caption"]
        box += [*images, nodes.paragraph(said, said, classes=["caption-text"])]
        return [box]


class ResultsSignature(Results):
    def make(self, name, records):
        text = records.signature(name)
        return [nodes.literal_block(text, text, language="none")]


def setup(app):
    app.add_directive("results-table", ResultsTable)
    app.add_directive("results-figure", ResultsFigure)
    app.add_directive("results-signature", ResultsSignature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
