"""Draw the landing page's figure:  python book/figures/landing.py   (tests/test_pages.py says when it is stale)

The word *knight* is read twice. Above, by a recurrent network: what k said has to pass through six states
before the sound N is spoken. Below, by attention: every letter is one step from the sound. It is a sketch of
the book's argument, not a measurement.
"""

import io
from contextlib import contextmanager
from pathlib import Path as File

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

ASSETS = File(__file__).resolve().parents[1] / "assets"
WORD, SOUND = "knight", "N"
# Okabe and Ito's colours; their lighter ones where the page is dark.
THEMES = {
    "light": dict(
        page="#ffffff", ink="#1f2328", soft="#6b7280", box="#f3f4f6", path="#D55E00", back="#0072B2", direct="#009E73"
    ),
    "dark": dict(
        page="#121212", ink="#e6e8eb", soft="#9aa3ad", box="#232a33", path="#F08A4B", back="#56B4E9", direct="#2CC295"
    ),
}
STYLE = {
    "svg.hashsalt": "landing",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "cm",
}
SIZE = 13.5  # points; on a phone the figure shrinks to three quarters
KEPT = (1, 0.72, 0.5, 0.32, 0.18, 0.08)  # how much of k each state still holds, in this sketch
RADIUS, SOUND_RADIUS, BOX = 0.31, 0.35, 0.29
SOUND_AT = 6.2
WIDTH, HEIGHT = 7.12, 7.92  # in the units of the drawing


@contextmanager
def style():
    """The figure's own settings, whatever was set before, and then those again."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def mix(colour, page, share):
    return to_hex(share * np.array(to_rgb(colour)) + (1 - share) * np.array(to_rgb(page)))


def letter_boxes(ax, y, c):
    for x, letter in enumerate(WORD):
        first = x == 0
        ax.add_patch(
            FancyBboxPatch(
                (x - BOX, y - BOX),
                2 * BOX,
                2 * BOX,
                boxstyle="round,pad=0,rounding_size=0.09",
                facecolor=c["box"],
                edgecolor=c["path"] if first else c["soft"],
                linewidth=2.4 if first else 1.0,
                zorder=3,
            )
        )
        ax.text(
            x,
            y - 0.015,
            letter,
            ha="center",
            va="center_baseline",
            fontsize=17,
            family="DejaVu Sans Mono",
            color=c["ink"],
            zorder=4,
        )


def sound_circle(ax, x, y, c):
    ax.add_patch(Circle((x, y), SOUND_RADIUS, facecolor=c["ink"], edgecolor="none", zorder=3))
    ax.text(
        x,
        y - 0.015,
        SOUND,
        ha="center",
        va="center_baseline",
        fontsize=17,
        weight="bold",
        family="DejaVu Sans Mono",
        color=c["page"],
        zorder=4,
    )


def arrow(ax, start, end, colour, width, style="-", head=13):
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=head,
            linewidth=width,
            color=colour,
            linestyle=style,
            shrinkA=0,
            shrinkB=0,
            zorder=2,
            capstyle="butt",
            joinstyle="miter",
        )
    )


def fading_arc(ax, start, end, height, colour):
    """A dashed arc whose line thins on its way from start to end."""
    t = np.linspace(0, 1, 45)
    x = start[0] + (end[0] - start[0]) * t
    y = start[1] + (end[1] - start[1]) * t + height * (1 - (2 * t - 1) ** 4)
    points = np.column_stack([x, y])
    dashes = [points[i : i + 2] for i in range(0, len(t) - 6, 2)]
    widths = np.linspace(6.0, 0.9, len(dashes))
    ax.add_collection(LineCollection(dashes, linewidths=widths, colors=colour, zorder=1))
    arrow(ax, points[-4], points[-1], colour, 0.9, head=11)


def heading(ax, y, name, rest, c):
    ax.text(-BOX, y, name, fontsize=SIZE + 2.5, weight="bold", color=c["ink"], va="baseline")
    ax.text(6.55, y, rest, fontsize=SIZE, color=c["soft"], va="baseline", ha="right")


def recurrence(ax, y, c):
    heading(ax, y + 2.12, "Recurrence", "six steps from k to its sound", c)
    states = y
    fading_arc(ax, (5, states + RADIUS + 0.07), (0, states + RADIUS + 0.07), 0.95, c["back"])
    ax.text(
        2.5, states + 1.52, "gradients vanish or explode", ha="center", va="baseline", fontsize=SIZE, color=c["back"]
    )
    ax.text(
        2.5,
        states + 0.66,
        "earlier letters are overwritten",
        ha="center",
        va="baseline",
        fontsize=SIZE,
        color=c["path"],
    )
    for x in range(len(WORD)):
        share = KEPT[x]
        ax.add_patch(
            Circle(
                (x, states),
                RADIUS,
                facecolor=mix(c["path"], c["page"], share),
                edgecolor=c["path"],
                linewidth=1.6,
                zorder=3,
            )
        )
        ink = c["page"] if share > (0.9 if c is THEMES["light"] else 0.6) else c["ink"]
        ax.text(x, states - 0.02, f"$h_{x + 1}$", ha="center", va="center", fontsize=17, color=ink, zorder=4)
        arrow(
            ax,
            (x, states - 1.1 + BOX + 0.03),
            (x, states - RADIUS - 0.04),
            c["path"] if x == 0 else c["soft"],
            2.6 if x == 0 else 1.1,
            head=13 if x == 0 else 10,
        )
        if x:
            arrow(ax, (x - 1 + RADIUS + 0.03, states), (x - RADIUS - 0.04, states), c["path"], 2.6)
    arrow(ax, (5 + RADIUS + 0.03, states), (SOUND_AT - SOUND_RADIUS - 0.04, states), c["path"], 2.6)
    sound_circle(ax, SOUND_AT, states, c)
    letter_boxes(ax, states - 1.1, c)
    time = states - 1.72
    arrow(ax, (-BOX, time), (6.55, time), c["soft"], 1.1, head=11)
    for x in range(len(WORD)):
        ax.plot([x, x], [time - 0.07, time + 0.07], color=c["soft"], linewidth=1.1, zorder=2)
    ax.text(
        2.5,
        time - 0.38,
        "each step waits for the one before",
        ha="center",
        va="baseline",
        fontsize=SIZE,
        color=c["ink"],
    )


def direct(ax, x, y, angle, colour, width, style, head):
    """An arc from the letter at x over its neighbours to the sound, which it meets at an angle."""
    radial = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    sound = np.array([SOUND_AT, y])
    reach = SOUND_AT - x
    start, end = np.array([x, y + BOX + 0.04]), sound + (SOUND_RADIUS + 0.04) * radial
    corners = [start, start + (0.16 * reach, 0.31 * reach), end + (0.06 + 0.33 * reach) * radial, end]
    ax.add_patch(
        FancyArrowPatch(
            path=Path(corners, [Path.MOVETO] + 3 * [Path.CURVE4]),
            arrowstyle="-|>",
            mutation_scale=head,
            linewidth=width,
            color=colour,
            linestyle=style,
            zorder=2,
            capstyle="butt",
            joinstyle="miter",
        )
    )


def attention(ax, y, c):
    heading(ax, y + 2.12, "Attention", "one step from any letter", c)
    for x, angle in enumerate((92, 106, 121, 136, 153)):
        near = x < 2
        direct(
            ax,
            x,
            y,
            angle,
            c["path"] if x == 0 else c["direct"],
            2.8 if near else 1.4,
            "-" if near else (0, (4, 2)),
            13 if near else 10,
        )
    last = (len(WORD) - 1 + BOX + 0.04, y), (SOUND_AT - SOUND_RADIUS - 0.04, y)  # a neighbour needs no arc
    arrow(ax, *last, c["direct"], 1.4, (0, (4, 2)), head=10)
    sound_circle(ax, SOUND_AT, y, c)
    letter_boxes(ax, y, c)


def draw(theme):
    """The figure for a light or a dark page."""
    c = THEMES[theme]
    with style():
        figure = Figure(figsize=(6.0, 6.0 * HEIGHT / WIDTH))
        FigureCanvasSVG(figure)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(-0.42, -0.42 + WIDTH), ylim=(-0.42, -0.42 + HEIGHT))
        ax.axis("off")
        recurrence(ax, 5.05, c)
        attention(ax, 0.0, c)
    return figure


def render(theme):
    """The bytes of the SVG file, the same on every run."""
    buffer = io.BytesIO()
    with style():
        draw(theme).savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def path(theme):
    return ASSETS / f"landing-{theme}.svg"


def main():
    for theme in THEMES:
        fresh = render(theme)
        path(theme).write_bytes(fresh)
        print(f"{path(theme).name}: {len(fresh) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
