"""What the notebooks recorded, and the tables that are made of it.

`Records` reads the stored outputs: lines `record | task | model | metric | value`, where the value may be followed by
its range over seeds, `from low to high`; lines `timed | task | model | minutes` of timing cells, which nobody compares;
lines `curve | task | model | metric | x y, x y, ...`; and lines `signature | task | text`.
"""

import json
import re
from collections import defaultdict
from pathlib import Path

from machine_lines import LINE, parse
from results_declared import MINUTES, NOT_SHOWN, TABLES
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]


class Records:
    """`values` maps (task, model, metric) to its value, `ranges` to its range over seeds where it has one, `chapters`
    to the numbers of the chapters that print it. `curves` maps ("curve", task, model, metric) to its points (x, y).

    Raises ExtensionError for a line that is no record, and for a result given twice with different values.
    """

    def __init__(self, folder=ROOT / "notebooks"):
        self.values, self.ranges, self.curves, self.signatures, self.chapters = {}, {}, {}, {}, defaultdict(set)
        self.paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
        for path in self.paths:
            for line in printed(path):
                self.add(path, line)

    def add(self, path, line):
        try:
            found = parse(line)
        except ValueError as error:
            raise ExtensionError(f"{path.name} prints {line!r}; {error}") from None
        key = (found.task, found.model, MINUTES if found.kind == "timed" else found.metric)
        if found.kind == "signature":
            self.keep(self.signatures, (found.task,), found.text, path)
        elif found.kind == "curve":
            self.keep(self.curves, ("curve", *key), found.points, path)
        else:
            self.keep(self.values, key, found.value, path)
            if found.seeds:
                self.keep(self.ranges, key, found.seeds, path)

    def keep(self, where, key, value, path):
        if where.setdefault(key, value) != value:
            others = ", ".join(f"chapter {n}" for n in sorted(self.chapters[key]))
            raise ExtensionError(
                f"{path.name} records {value} for {' | '.join(key)}, and {others} records {where[key]}: "
                "name the two models or metrics apart"
            )
        self.chapters[key].add(int(path.name[:2]))

    def value(self, task, row, metric):
        """The value, or None where a dash is declared. Raises ExtensionError if it is missing, or there in spite of
        the dash, or comes from another chapter."""
        key = (task, row.model, metric)
        about = f"the results page, task {task!r}, model {row.model!r}, metric {metric!r}"
        if metric in row.dashes:
            if key in self.values:
                raise ExtensionError(
                    f"{about}: there is a number now; take the dash out of book/ext/results_declared.py"
                )
            return None
        if key not in self.values:
            raise ExtensionError(
                f"{about}: no notebook holds such a record. Run `make run NB={row.chapter:02d}` and see that it prints "
                "one, or declare a dash and its reason in book/ext/results_declared.py"
            )
        if row.chapter not in self.chapters[key]:
            raise ExtensionError(f"{about}: chapter {row.chapter} does not record it, but {self.chapters[key]} do")
        return self.values[key]

    def signature(self, task):
        if (task,) not in self.signatures:
            raise ExtensionError(
                f"the results page: no notebook prints a line `signature | {task} | ...`; for translation it is "
                "chapter 13's: run `make run NB=13`"
            )
        return self.signatures[(task,)]


def outputs(path, tag=None):
    """What each code cell of a notebook printed, those that carry a tag only if one is given."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if tag is not None and tag not in cell["metadata"].get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if output.get("name") == "stdout":
                yield "".join(output["text"])


def printed(path):
    """The lines for the machine in a notebook's stored standard output."""
    for text in outputs(path):
        yield from LINE.findall(text)


def claimed(path):
    """The lines of a notebook's claims cell, `text: values`."""
    return [line for text in outputs(path, "claims") for line in text.splitlines() if line.strip()]


def on_page(page=ROOT / "book" / "results.md"):
    """The names of the tables that a page shows, in its order, those of included files among them."""
    found = []
    pattern = r"^```\{(include|results-table)\} (\S+)$"
    for directive, argument in re.findall(pattern, page.read_text(encoding="utf-8"), flags=re.M):
        found += on_page(page.parent / argument) if directive == "include" else [argument]
    return found


def check_declared(records, tables=TABLES, not_shown=NOT_SHOWN):
    """Raises ExtensionError for a result that is neither shown nor left out with a reason, for one that is both, and
    for a reason without a result."""
    shown = {(t.task, row.model, c.metric) for t in tables.values() for row in t.rows for c in t.columns}
    remedy = "in book/ext/results_declared.py"
    for key, value in records.values.items():
        if (key in shown) == (key in not_shown):
            where = ", ".join(f"chapter {n}" for n in sorted(records.chapters[key]))
            wrong = "is shown, and NOT_SHOWN says that it is not" if key in shown else "is shown nowhere"
            raise ExtensionError(
                f"the results page: `{' | '.join(key)}`, {value} in {where}, {wrong}: put it in a table or in "
                f"NOT_SHOWN, with a reason, {remedy}"
            )
    for key in not_shown:
        if key not in records.values:
            raise ExtensionError(
                f"the results page: no notebook records `{' | '.join(key)}`; take it out of NOT_SHOWN {remedy}"
            )


def table_lines(table, records):
    """The table in Markdown, and under it why there is a dash where there is one."""
    chapters = {int(path.name[:2]): path.stem for path in records.paths}
    lines = [f"| model | {' | '.join(c.heading for c in table.columns)} |"]
    lines.append(f"| --- |{' ---: |' * len(table.columns)}")
    for row in table.rows:
        values = [(records.value(table.task, row, c.metric), c) for c in table.columns]
        shown = ["–" if v is None else c.show(v) for v, c in values]
        name = f"{{doc}}`{row.title} </notebooks/{chapters[row.chapter]}>`"
        lines.append(f"| {name} | {' | '.join(shown)} |")
    reasons = defaultdict(list)
    for row in table.rows:
        for reason in dict.fromkeys(row.dashes.values()):
            reasons[reason].append(row.title)
    if reasons:
        lines += [
            "",
            "Where a dash stands: " + "; ".join(f"{', '.join(of)}: {why}" for why, of in reasons.items()) + ".",
        ]
    return lines
