"""Tables whose numbers are read, never typed: `measured-times` and `pinned-versions`.

`measured-times` shows what tools/execute.py wrote to book/measured.json when it last ran each
chapter; `pinned-versions` shows the packages of requirements.txt.
"""

import json
import re
from pathlib import Path

from sphinx.errors import ExtensionError
from written import Written

ROOT = Path(__file__).resolve().parents[2]


def measured(stem):
    """What was measured when a chapter last ran: its `seconds` and `peak_mb`."""
    entries = json.loads((ROOT / "book" / "measured.json").read_text(encoding="utf-8"))
    if stem not in entries:
        raise ExtensionError(f"book/measured.json has no entry for {stem}.ipynb: run `make run NB={stem[:2]}`")
    return entries[stem]


def times_table():
    rows = ["| chapter | time | peak memory |", "| --- | ---: | ---: |"]
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        entry = measured(notebook.stem)
        minutes, seconds = divmod(round(entry["seconds"]), 60)
        rows.append(f"| {notebook.stem} | {minutes} min {seconds:02d} s | {entry['peak_mb']:.0f} MB |")
    return rows


def versions_table():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.+-]+)", line.strip()) for line in lines]
    return ["| package | version |", "| --- | --- |"] + [f"| {p[1]} | {p[2]} |" for p in pins if p]


class Table(Written):
    make = None

    def run(self):
        return self.parse(type(self).make())


class MeasuredTimes(Table):
    make = staticmethod(times_table)


class PinnedVersions(Table):
    make = staticmethod(versions_table)


def setup(app):
    app.add_directive("measured-times", MeasuredTimes)
    app.add_directive("pinned-versions", PinnedVersions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
