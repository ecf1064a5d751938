"""The results page, whose every number is a `record` line in a notebook's stored outputs.

A chapter prints `record | task | model | metric | value`; nothing is typed into the page. The tables below declare
what the page shows. `results-table NAME` makes one, `results-figure NAME` draws its error against its arithmetic,
`results-signature TASK` shows a line `signature | task | text`. What is missing stops the build, and so does a result
that two chapters give differently, or a dash where there is a number.
"""

import io
import json
import math
import os
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
BITS, WORDS, PHONEMES = "bits per letter, dev", "word error, test", "phoneme error, test"
PARAMETERS, OPERATIONS, MINUTES = "parameters", "training operations", "training minutes"
DIGITS = "#.3g"  # three of them
SACREBLEU, TUTORIAL = "BLEU, test 2016, sacreBLEU", "BLEU, test 2016, tutorial's recipe"


# ---------------------------------------------------------------- what the page shows


@dataclass(frozen=True)
class Column:
    heading: str
    metric: str
    form: str  # how a value is written, as format() has it
    scale: float = 1.0  # what it is multiplied by before that

    def show(self, value):
        scaled = self.scale * value
        return f"{scaled:{',.0f' if self.form == DIGITS and scaled >= 100 else self.form}}"


@dataclass(frozen=True)
class Row:
    chapter: int
    model: str  # as the record says it
    name: str = ""  # as the page says it
    short: str = ""  # as the figure says it
    look: int = 0  # its colour and marker there; points of one look are joined
    dashes: dict = field(default_factory=dict)  # {metric: why there is no number}

    @property
    def title(self):
        return self.name or self.model


@dataclass(frozen=True)
class Table:
    task: str
    error: str  # the metric that the figure draws
    axis: str  # and what it says beside it
    columns: tuple
    rows: tuple


COST = (
    Column("parameters", PARAMETERS, ",.0f"),
    Column("arithmetic", OPERATIONS, DIGITS, 1e-12),
    Column("minutes", MINUTES, ".1f"),
)
READING = (Column("words, %", WORDS, ".1f", 100), Column("phonemes, %", PHONEMES, ".1f", 100))
BLEU = (
    Column("sacreBLEU", SACREBLEU, ".1f"),
    Column("beam 5", f"{SACREBLEU}, beam 5", ".1f"),
    Column("recipe", TUTORIAL, ".1f"),
    Column("beam 5", f"{TUTORIAL}, beam 5", ".1f"),
)
UNCOUNTED = "their chapters do not count the training"
NO_WEIGHTS = "it counts letters and trains no weights"
STUDY = "a study's run, and only what is trained in a chapter is timed"

TABLES = {
    "reading-aloud": Table(
        task="reading aloud",
        error=WORDS,
        axis="words wrong, %",
        columns=(*READING, *COST),
        rows=(
            Row(7, "encoder-decoder", "Encoder-decoder, 2,100 steps", "encoder-decoder", 0),
            Row(
                8,
                "GRU with additive attention",
                "GRU with additive attention, 2,100 steps",
                "GRU with attention",
                1,
            ),
            Row(
                12,
                "Transformer, 2,100 steps",
                short="Transformer, 2,100 steps",
                look=2,
                dashes={MINUTES: STUDY},
            ),
            Row(12, "Transformer, 4,200 steps", short="4,200 steps", look=2),
            Row(
                14,
                "decoder-only Transformer, 700 steps",
                "Decoder-only Transformer, 700 steps",
                short="decoder-only, 700 steps",
                look=3,
            ),
            Row(
                14,
                "decoder-only Transformer, 2,100 steps",
                "Decoder-only Transformer, 2,100 steps",
                short="2,100 steps",
                look=3,
                dashes={MINUTES: STUDY},
            ),
        ),
    ),
    "reading-aloud-in-pieces": Table(
        task="reading aloud",
        error=WORDS,
        axis="words wrong, %",
        columns=(*READING, COST[0]),
        rows=(
            Row(9, "GRU with dot attention, 700 steps"),
            Row(11, "One-step encoder, no positions"),
            Row(11, "One-step encoder, sinusoidal positions"),
            Row(11, "One-step encoder, learned positions"),
            Row(11, "One-step encoder, rotary positions"),
        ),
    ),
    "letter-model": Table(
        task="letter model",
        error=BITS,
        axis="bits per letter",
        columns=(Column("bits per letter", BITS, ".3f"), *COST),
        rows=(
            Row(
                1,
                "Kneser-Ney n-gram, order 6",
                short="Kneser-Ney n-gram",
                dashes={metric: NO_WEIGHTS for metric in (PARAMETERS, OPERATIONS, MINUTES)},
            ),
            Row(2, "RNN, 256 units", dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED}),
            Row(5, "GRU, 67 units", "GRU, 67 units, 3,000 steps", dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED}),
            Row(
                10,
                "one layer of self-attention, 300 steps",
                "Self-attention, 300 steps",
                dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED},
            ),
            Row(14, "RNN, 128 units", "RNN, 128 units, 1,500 steps", "RNN", 0),
            Row(14, "LSTM, 56 units", "LSTM, 56 units, 1,500 steps", "LSTM", 4),
            Row(14, "GRU, 67 units, 1,500 steps", short="GRU", look=1),
            Row(14, "decoder-only Transformer", "Decoder-only Transformer, 1,500 steps", "decoder-only Transformer", 3),
        ),
    ),
    "translation": Table(
        task="translation",
        error=SACREBLEU,
        axis="sacreBLEU, greedy",
        columns=(*BLEU, *COST),
        rows=(
            Row(13, "GRU with attention", short="GRU with attention", look=1),
            Row(13, "Transformer", short="Transformer", look=2),
        ),
    ),
}


# ---------------------------------------------------------------- what the notebooks hold


class Records:
    """`values` maps (task, model, metric) to its value, `chapters` to the numbers of the chapters that print it.

    Raises ExtensionError for a line that is no record, and for a result given twice with different values.
    """

    def __init__(self, folder=ROOT / "notebooks"):
        self.values, self.signatures, self.chapters = {}, {}, defaultdict(set)
        self.paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
        for path in self.paths:
            for line in printed(path):
                kind, *parts = (part.strip() for part in line.split("|", 2 if line.startswith("signature") else -1))
                if kind == "record":
                    self.add(path, line, parts)
                elif kind == "signature":
                    self.keep(self.signatures, tuple(parts[:-1]), parts[-1], path)

    def add(self, path, line, parts):
        try:
            *key, value = parts
            task, model, metric = key
            value = float(value)
            if not math.isfinite(value):
                raise ValueError
        except ValueError:
            raise ExtensionError(
                f"{path.name} prints {line!r}; a record is `record | task | model | metric | value`"
            ) from None
        self.keep(self.values, (task, model, metric), value, path)

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
                raise ExtensionError(f"{about}: there is a number now; take the dash out of book/ext/book_results.py")
            return None
        if key not in self.values:
            raise ExtensionError(
                f"{about}: no notebook holds such a record. Run `make run NB={row.chapter:02d}` and see that it prints "
                "one, or declare a dash and its reason in book/ext/book_results.py"
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


def printed(path):
    """The lines of a notebook's stored standard output that begin with `record` or `signature`, and a bar."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if output.get("name") == "stdout":
                text = output["text"] if isinstance(output["text"], str) else "".join(output["text"])
                yield from re.findall(r"^(?:record|signature) \|.*$", text, flags=re.M)


def on_page(page=ROOT / "book" / "results.md"):
    """The names of the tables that a page shows, in its order, those of included files among them."""
    found = []
    pattern = r"^```\{(include|results-table)\} (\S+)$"
    for directive, argument in re.findall(pattern, page.read_text(encoding="utf-8"), flags=re.M):
        found += on_page(page.parent / argument) if directive == "include" else [argument]
    return found


def chosen(name):
    if name not in TABLES:
        raise ExtensionError(f"the results page has no table {name!r}; there are: {', '.join(TABLES)}")
    return TABLES[name]


# ---------------------------------------------------------------- tables


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


# ---------------------------------------------------------------- the figure

# Okabe and Ito's colours, as in the chapters; lighter ones where the page is dark, as in the landing figure.
THEMES = {
    "light": {"ink": "#1f2328", "soft": "#6b7280", "colours": ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"]},
    "dark": {"ink": "#e6e8eb", "soft": "#9aa3ad", "colours": ["#56B4E9", "#F08A4B", "#2CC295", "#E3A3C6", "#9ecff0"]},
}
STYLE = {"svg.hashsalt": "results", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 12.5}
MARKERS = "os^Dv"
PLACES = [(9, 0, "left"), (-9, 0, "right"), (0, 13, "center"), (0, -13, "center"), (8, 11, "left"), (-8, 11, "right")]
PLACES += [(8, -11, "left"), (-8, -11, "right"), (0, 26, "center"), (0, -26, "center")]


def points(table, records):
    """[(row, arithmetic in 10^12, error in the table's unit)], and the same of rows without arithmetic but with a
    name for the figure, which it draws as level lines."""
    column = next(c for c in table.columns if c.metric == table.error)
    found, levels = [], []
    for row in table.rows:
        error = column.scale * records.value(table.task, row, table.error)
        operations = records.value(table.task, row, OPERATIONS)
        if operations is not None:
            found.append((row, operations / 1e12, error))
        elif row.short:
            levels.append((row, None, error))
    return found, levels


def alt_text(table, records):
    """What the figure shows, with its numbers."""
    column = next(c for c in table.columns if c.metric == table.error)
    found, levels = points(table, records)
    said = [
        f"{row.title} {column.show(y / column.scale)} at {COST[1].show(1e12 * x)}"
        for row, x, y in sorted(found, key=lambda point: point[1])
    ]
    said += [f"a level line for {row.title} at {column.show(y / column.scale)}" for row, _, y in levels]
    return (
        f"Points of {table.axis} against the multiplications and additions of the training, in millions of millions, "
        f"on a logarithmic axis: {'; '.join(said)}."
    )


@contextmanager
def style():
    """The figure's own settings, whatever was set before, and then those again."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def label(axis, found, ink):
    """Write each point's name where it meets no other name, point or edge, as far as there is such a place."""
    figure, taken = axis.figure, []
    renderer, box = figure.canvas.get_renderer(), axis.get_window_extent()
    dots = [axis.transData.transform((x, y)) for _, x, y in found]
    for line in axis.get_lines():  # the lines that join them, in steps
        ends = line.get_transform().transform(line.get_xydata())
        dots += [a + (b - a) * k / 40 for a, b in zip(ends, ends[1:]) for k in range(41)]
    for row, x, y in found:
        tried = []
        for rank, (dx, dy, side) in enumerate(PLACES):
            text = axis.annotate(
                row.short or row.title,
                (x, y),
                (dx, dy),
                textcoords="offset points",
                ha=side,
                va="center",
                color=ink,
                zorder=4,
            )
            extent = text.get_window_extent(renderer)
            crossed = sum(extent.overlaps(other) for other in taken)
            covered = min(3, sum(extent.padded(3).contains(*dot) for dot in dots))
            outside = extent.x0 < box.x0 or extent.x1 > figure.bbox.x1 or extent.y0 < box.y0 or extent.y1 > box.y1
            tried.append((10 * crossed + 5 * covered + 20 * outside + 0.1 * rank, rank, text, extent))
        cost, _, best, extent = min(tried, key=lambda t: t[:2])
        for *_, text, _ in tried:
            if text is not best:
                text.remove()
        taken.append(extent)
    return taken


def draw(table, records, theme):
    """The figure for a light or a dark page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    c, (found, levels) = THEMES[theme], points(table, records)
    looks = list(dict.fromkeys(row.look for row, _, _ in found))
    with style():
        figure = Figure(figsize=(6.0, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.add_subplot()
        for look in looks:
            own = [(x, y) for row, x, y in found if row.look == look]
            axis.plot(*zip(*own), color=c["colours"][look], marker=MARKERS[look], markersize=9, linewidth=1.4, zorder=3)
        for row, _, y in levels:
            axis.axhline(y, color=c["soft"], linestyle=(0, (5, 3)), linewidth=1.4)
            axis.annotate(
                row.short, (1, y), (-2, 5), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", color=c["ink"],
            )  # fmt: skip
        x, y = [p[1] for p in found], [p[2] for p in (*found, *levels)]
        middle, reach = math.sqrt(min(x) * max(x)), max(2.5, 1.9 * math.sqrt(max(x) / min(x)))
        axis.set(xscale="log", xlim=(middle / reach, middle * reach))
        spread = max(max(y) - min(y), 0.02 * max(y))
        axis.set(ylim=(min(y) - 0.25 * spread, max(y) + 0.3 * spread), ylabel=table.axis)
        axis.set_xlabel("multiplications and additions in training, 10¹²")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.spines[["right", "top"]].set_visible(False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color(c["soft"])
        axis.tick_params(colors=c["ink"])
        axis.xaxis.label.set_color(c["ink"])
        axis.yaxis.label.set_color(c["ink"])
        figure.draw_without_rendering()
        figure.placed = label(axis, found, c["ink"])
    return figure


def render(table, records, theme):
    """The bytes of the SVG file, the same on every run."""
    buffer = io.BytesIO()
    with style():
        draw(table, records, theme).savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return buffer.getvalue()


# ---------------------------------------------------------------- directives


class Results(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        records = Records(ROOT / "notebooks")
        for path in (*records.paths, Path(__file__)):
            self.env.note_dependency(str(path))
        return self.make(self.arguments[0], records)

    def parse(self, lines):
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "records"), 0, node)
        return node.children


class ResultsTable(Results):
    def make(self, name, records):
        return self.parse(table_lines(chosen(name), records))


class ResultsFigure(Results):
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
        return images


class ResultsSignature(Results):
    def make(self, name, records):
        text = records.signature(name)
        return [nodes.literal_block(text, text, language="none")]


def setup(app):
    app.add_directive("results-table", ResultsTable)
    app.add_directive("results-figure", ResultsFigure)
    app.add_directive("results-signature", ResultsSignature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
