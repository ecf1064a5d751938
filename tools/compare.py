"""Whether what a cell gives now is what is stored: complaints, a sentence each, none where all is well.

Text and integers are compared exactly, floats within a tolerance. In a cell tagged `trained`, which depends on a
training, another make of processor moves the digits; there the words and the count of numbers are compared, and of
each number the order of magnitude. The values of a claim, which its condition guards, and those of single heads, which
change places, are counted and no more (tags `claims` and `by-head`). tests/support/nbval_settings.py and
`make run ELSEWHERE=1` both compare by this module.
"""

import base64
import io
import math
import re

import numpy as np
from PIL import Image

RTOL, ATOL = 1e-4, 1e-8
TENFOLD = 10  # numbers of a trained cell agree if one is less than so many times the other
FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")  # integers stay exact
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\d|\d)(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?")
SPACE = re.compile(r"[ \t]+")
COUNTED = ("claims", "by-head")
IGNORED = ("timing", "nbval-ignore-output")
ELSEWHERE = (
    "If this machine's processor is of another make than the one that stored the outputs, that may be the cause: a "
    "training's digits differ there, and a cell that depends on one is tagged `trained`, which "
    "`make run NB={number} ELSEWHERE=1` finds out."
)


# ---------------------------------------------------------------- outputs


def kept(output):
    """Outputs that are stored: not progress bars, not warnings."""
    if output["output_type"] == "stream":
        return output["name"] == "stdout"
    return not any("widget-view" in mime for mime in output.get("data", {}))


def merge_streams(outputs):
    """One block of printed text where bars or warnings between the lines had split it."""
    merged = []
    for output in outputs:
        if output["output_type"] == "stream" and merged and merged[-1]["output_type"] == "stream":
            merged[-1]["text"] += output["text"]
        else:
            merged.append(output)
    return merged


def tolerance(cell):
    """(rtol, atol) of a cell."""
    options = cell.metadata.get("nbval", {})
    return float(options.get("rtol", RTOL)), float(options.get("atol", ATOL))


# ---------------------------------------------------------------- text


def texts(outputs):
    """{what it is: [text, ...]} of all that is not a picture."""
    found = {}
    for output in merge_streams([dict(o) for o in outputs if kept(o)]):
        if output["output_type"] == "stream":
            found.setdefault("printed text", []).append(output["text"])
        elif output["output_type"] != "error":
            for mime, value in output.get("data", {}).items():
                if not mime.startswith("image/"):
                    found.setdefault(mime, []).append(value if isinstance(value, str) else repr(value))
    return found


def words(text, numbers):
    """The text with # for each number, runs of spaces as one: a column moves by one when 9.99 becomes 10.01."""
    return SPACE.sub(" ", numbers.sub(" # ", text)).strip()


def exact_complaint(new, stored, rtol, atol):
    if new == stored:
        return None
    if words(new, FLOAT) != words(stored, FLOAT):
        return first_difference(new, stored, FLOAT)
    for a, b in zip(FLOAT.findall(new), FLOAT.findall(stored)):
        if not math.isclose(float(a), float(b), rel_tol=rtol, abs_tol=atol):
            off = abs(float(a) - float(b))
            relative = f", {off / abs(float(b)):.1e} of it" if float(b) else ""
            return (
                f"{b} is stored and {a} came out, {off:.1e} away{relative}. Floats may differ by rtol {rtol:g} and "
                f"atol {atol:g}, unless the cell's metadata says otherwise; integers and text not at all."
            )
    return None


def units(number):
    """(size, unit of the last digit) of a number as printed."""
    mantissa, _, exponent = number.lower().replace(",", "").partition("e")
    digits = len(mantissa.partition(".")[2])
    return abs(float(number.replace(",", ""))), 10.0 ** (int(exponent or 0) - digits)


def same_order(a, b):
    """Whether one is less than ten times the other; what is below three units of its last digit counts as those."""
    (x, unit_x), (y, unit_y) = units(a), units(b)
    least = 3 * max(unit_x, unit_y)
    x, y = max(x, least), max(y, least)
    return max(x, y) < TENFOLD * min(x, y)


def trained_complaint(new, stored, counted=False):
    """What is wrong in a cell that depends on a training: other words, other numbers of numbers and, unless they are
    only counted, a factor of ten."""
    if words(new, NUMBER) != words(stored, NUMBER):
        return first_difference(new, stored, NUMBER)
    for a, b in zip(NUMBER.findall(new), NUMBER.findall(stored)):
        if not (counted or same_order(a, b)):
            return f"{b} is stored and {a} came out, which is another order of magnitude, in a cell tagged `trained`."
    return None


def first_difference(new, stored, numbers):
    """The first line that differs beyond its numbers."""
    ours, theirs = new.splitlines(), stored.splitlines()
    for k in range(max(len(ours), len(theirs))):
        a, b = (lines[k] if k < len(lines) else None for lines in (ours, theirs))
        if a is None or b is None or words(a, numbers) != words(b, numbers):
            return f"line {k + 1} is {b!r} as stored and {a!r} now, and more than a float differs."
    return "the lines are divided otherwise than in the stored text."


def text_complaints(new, stored, rtol=RTOL, atol=ATOL, trained=False, counted=False):
    ours, theirs = texts(new), texts(stored)
    found = [f"The cell gives no {kind} now; it is stored." for kind in theirs if kind not in ours]
    found += [f"The cell gives {kind} now, and none is stored." for kind in ours if kind not in theirs]
    for kind in theirs:
        if kind in ours and len(ours[kind]) != len(theirs[kind]):
            found.append(f"The cell gives {kind} {len(ours[kind])} times now, and {len(theirs[kind])} are stored.")
        for a, b in zip(ours.get(kind, []), theirs[kind]):
            complaint = trained_complaint(a, b, counted) if trained else exact_complaint(a, b, rtol, atol)
            if complaint:
                found.append(f"In the {kind}, {complaint}")
    return found


# ---------------------------------------------------------------- figures


class Figure:
    """What is compared of a picture: its size, and the shares of it that are inked and coloured."""

    def __init__(self, png):
        image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        pixels = np.asarray(Image.alpha_composite(page, image).convert("RGB"), dtype=int)
        self.size = pixels.shape[1::-1]
        inked = abs(pixels - pixels[0, 0]).max(axis=-1) > 16  # the corner is background
        self.ink = inked.mean()
        self.colour = ((pixels.max(axis=-1) - pixels.min(axis=-1)) > 40).mean()
        self.blank = self.ink < 1e-3 or (self.colour == 0 and empty_axes(inked))


def longest_run(line):
    """(start, stop) of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(int), [0]))))
    runs = edges.reshape(-1, 2)
    return tuple(runs[(runs[:, 1] - runs[:, 0]).argmax()]) if len(runs) else (0, 0)


def empty_axes(inked):
    """Whether the picture is a frame, with or without a grid, and nothing in it."""
    straight = []  # for each direction: the lines that cross much of the picture, with their ends
    for lines in (inked, inked.T):
        found = {}
        for k in np.flatnonzero(lines.mean(axis=1) > 0.4):
            start, stop = longest_run(lines[k])
            if stop - start > 0.4 * lines.shape[1]:
                found[k] = (start, stop)
        straight.append(found)
    rows, columns = straight
    if not rows or not columns:
        return False
    top, bottom = min(a for a, _ in columns.values()), max(b for _, b in columns.values())
    left, right = min(a for a, _ in rows.values()), max(b for _, b in rows.values())
    inside = inked[top:bottom, left:right].copy()
    thin = 0.1 * inside.shape[0], 0.1 * inside.shape[1]
    if len(rows) > thin[0] or len(columns) > thin[1]:
        return False  # areas, not lines
    margin = 3
    for k in rows:
        inside[max(0, k - top - margin) : max(0, k - top + margin + 1)] = False
    for k in columns:
        inside[:, max(0, k - left - margin) : max(0, k - left + margin + 1)] = False
    ticks = max(4, inside.shape[0] // 40)  # ticks may point inwards
    inside = inside[ticks:-ticks, ticks:-ticks]
    return not inside.any()


def figures(outputs):
    return [Figure(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]


def about(new, old):
    """Whether two shares of ink are within a factor of two; a sprinkle counts as none."""
    return 0.5 < (new + 1e-3) / (old + 1e-3) < 2


def figure_complaints(new, old, size=True, ink=True):
    """What is wrong with the figures a cell draws now, given those that are stored."""
    if len(new) != len(old):
        return [f"The cell draws {len(new)} figure(s) now; {len(old)} are stored."]
    found = []
    for a, b in zip(new, old):
        if a.blank:
            found.append("The figure is blank." + (" So is the stored one." if b.blank else ""))
        elif size and any(abs(x - y) > 0.05 * max(x, y) for x, y in zip(a.size, b.size)):
            found.append(f"The figure is {a.size[0]} x {a.size[1]} pixels now; {b.size[0]} x {b.size[1]} are stored.")
        elif ink and not (about(a.ink, b.ink) and about(a.colour, b.colour)):
            found.append(
                f"The figure has changed: {a.ink:.1%} of it is inked and {a.colour:.1%} coloured; "
                f"stored are {b.ink:.1%} and {b.colour:.1%}."
            )
    return found


# ---------------------------------------------------------------- a cell


def cell_complaints(cell, new, stored):
    """What is wrong with the outputs `new` of a cell, given those that are stored."""
    tags = cell.metadata.get("tags", [])
    if any(tag in tags for tag in IGNORED):
        return figure_complaints(figures(new), figures(stored), size=False, ink=False)
    trained, counted = "trained" in tags, any(tag in tags for tag in COUNTED)
    return [
        *text_complaints(new, stored, *tolerance(cell), trained, counted),
        *figure_complaints(figures(new), figures(stored), size=not trained, ink=not trained),
    ]
