"""The lines that a notebook prints for the machine: what a chapter records, and what its figures and prompts rest on.

The results page and the prompts read them (results_records.py), and a page shows them typeset (cells_printed.py).
"""

import math
import re
from dataclasses import dataclass

FORMS = {
    "record": "record | task | model | metric | value [from low to high]",
    "timed": "timed | task | model | minutes",
    "curve": "curve | task | model | metric | x y, x y, ...",
    "signature": "signature | task | text",
}
LINE = re.compile(rf"^(?:{'|'.join(FORMS)}) \|.*$", re.M)


@dataclass(frozen=True)
class Line:
    """One such line. Which of the fields hold something, its kind says."""

    kind: str
    task: str
    model: str = ""
    metric: str = ""
    value: float | None = None
    seeds: tuple | None = None  # the lowest and the highest value of several seeds
    points: tuple = ()  # (x, y) of a curve, x rising
    text: str = ""


def finite(text):
    """The number that a text says. Raises ValueError if it says none, or one that is not finite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def value_and_seeds(text):
    value, ranges, bounds = text.partition(" from ")
    value = finite(value)
    if not ranges:
        return value, None
    low, high = map(finite, bounds.split(" to "))
    if not low <= value <= high:
        raise ValueError("the value lies outside its range")
    return value, (low, high)


def curve_points(text):
    pairs = [tuple(map(finite, point.split())) for point in text.split(",")]
    if any(len(pair) != 2 for pair in pairs) or any(a[0] >= b[0] for a, b in zip(pairs, pairs[1:])):
        raise ValueError("a curve is pairs of numbers, from left to right")
    return tuple(pairs)


def parse(line):
    """The Line that a line is. Raises ValueError, whose message is the form it should have, if it is none."""
    kind = line.partition(" ")[0]
    parts = [part.strip() for part in line.split("|", 2 if kind == "signature" else -1)][1:]
    try:
        if not all(parts):
            raise ValueError("a field is empty")
        if kind == "signature":
            task, text = parts
            return Line(kind, task, text=text)
        if kind == "timed":
            task, model, minutes = parts
            return Line(kind, task, model, value=finite(minutes))
        task, model, metric, text = parts
        if kind == "curve":
            return Line(kind, task, model, metric, points=curve_points(text))
        value, seeds = value_and_seeds(text)
        return Line(kind, task, model, metric, value, seeds)
    except ValueError:
        raise ValueError(f"the form is `{FORMS[kind]}`") from None
