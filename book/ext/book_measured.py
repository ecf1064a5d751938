"""Tables whose numbers are read, never typed: `measured-times` and `pinned-versions`.

`measured-times` shows what tools/execute.py wrote to book/measured.json when it last ran each
chapter; `pinned-versions` shows the packages of requirements.txt.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]


def times_table():
    measured = json.loads((ROOT / "book" / "measured.json").read_text(encoding="utf-8"))
    rows = ["| chapter | time | peak memory |", "| --- | ---: | ---: |"]
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if notebook.stem not in measured:
            raise ExtensionError(
                f"book/measured.json has no entry for {notebook.name}: run `make run NB={notebook.stem[:2]}`"
            )
        entry = measured[notebook.stem]
        minutes, seconds = divmod(round(entry["seconds"]), 60)
        rows.append(f"| {notebook.stem} | {minutes} min {seconds:02d} s | {entry['peak_mb']:.0f} MB |")
    return rows


def versions_table():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.+-]+)", line.strip()) for line in lines]
    return ["| package | version |", "| --- | --- |"] + [f"| {p[1]} | {p[2]} |" for p in pins if p]


class Table(SphinxDirective):
    make = None

    def run(self):
        node = nodes.container()
        self.state.nested_parse(StringList(type(self).make(), "measured"), 0, node)
        return node.children


class MeasuredTimes(Table):
    make = staticmethod(times_table)


class PinnedVersions(Table):
    make = staticmethod(versions_table)


def setup(app):
    app.add_directive("measured-times", MeasuredTimes)
    app.add_directive("pinned-versions", PinnedVersions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
