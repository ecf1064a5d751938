"""The figure of a results table: each model's error against the arithmetic of its training."""

import io
import math
from contextlib import contextmanager

from results_declared import COST, OPERATIONS

# For each model its colour on a light page and on a dark one, its line and its marker: those of the setup cell, which a
# test compares; on dark pages lighter colours, and a black line becomes near white.
LOOKS = {
    "n-gram": ("#7F7F7F", "#9AA3AD", ":", "x"),
    "RNN": ("#0072B2", "#4F9DE8", "-", "o"),
    "LSTM": ("#D55E00", "#F08A4B", "--", "s"),
    "GRU": ("#009E73", "#2CC295", "-.", "^"),
    "encoder-decoder": ("#56B4E9", "#9ECFF0", (0, (6, 1)), "v"),
    "attention": ("#9B5FA8", "#C792D3", (0, (5, 1, 1, 1)), "D"),
    "Transformer": ("#000000", "#E6E8EB", "-", "P"),
    "decoder-only": ("#E69F00", "#F2B84B", "--", "*"),
}
THEMES = {
    "light": {"ink": "#1f2328", "soft": "#6b7280", "colours": {name: look[0] for name, look in LOOKS.items()}},
    "dark": {"ink": "#e6e8eb", "soft": "#9aa3ad", "colours": {name: look[1] for name, look in LOOKS.items()}},
}
STYLE = {"svg.hashsalt": "results", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 12.5}
OFFSETS = [(9, 0, "left"), (-9, 0, "right"), (0, 13, "center"), (0, -13, "center"), (8, 11, "left"), (-8, 11, "right")]
OFFSETS += [(8, -11, "left"), (-8, -11, "right"), (0, 26, "center"), (0, -26, "center")]


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
        for rank, (dx, dy, side) in enumerate(OFFSETS):
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
            *_, line, marker = LOOKS[look]
            axis.plot(
                *zip(*own),
                color=c["colours"][look],
                linestyle=line,
                marker=marker,
                markersize=9,
                linewidth=1.4,
                zorder=3,
            )
        for row, _, y in levels:
            axis.axhline(y, color=c["colours"][row.look], linestyle=LOOKS[row.look][2], linewidth=1.8)
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
