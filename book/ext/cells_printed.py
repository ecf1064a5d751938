"""What a cell printed, as HTML that a reader meets without a console: pure text in, HTML out.

Three things are told apart. Lines for the machine (`record | ...`, `timed | ...`, `curve | ...`, `signature | ...`)
become one quiet caption or table at the end. Lines in columns become a table where their columns are beyond doubt, and
stay as they were printed where they are not. All else is sentences, which may wrap.
"""

import re
from html import escape

import machine_lines
from machine_lines import LINE as MACHINE

TIME = "training time"
ERROR_RATE = re.compile(r"(word|phoneme) error|WER\b|PER\b")
COUNTS = ("parameters", "steps", "seeds")
NUMBER = re.compile(r"[+-]?(\d[\d,]*(\.\d+)?(e[+-]?\d+)?|10\^[+-]?\d+(\.\d+)?)%?")
NOTHING = ("nan", "-", "–")
LEAST_ROWS = 3  # fewer rows prove no column

# ---------------------------------------------------------------- numbers


def scientific(value):
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits} × 10<sup>{int(power)}</sup>".replace("-", "−")


def quantity(metric, value):
    """A recorded value with its unit: errors in percent, counts with separators, other numbers to about four digits."""
    size = abs(value)
    if ERROR_RATE.match(metric):
        return f"{100 * value:.1f}%"
    if metric == TIME:
        return f"{value:.1f} min"
    if metric.startswith("BLEU"):
        return f"{value:.1f}"
    if size >= 1e7 or 0 < size < 1e-3:
        return scientific(value)
    if metric in COUNTS or size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3}f}"


# ---------------------------------------------------------------- lines for the machine


def parse(line):
    """(task, model, metric, shown value) of a `record` or `timed` line, (task, text) of a signature, () of a curve.

    Raises ValueError, which says what the form is, for a line that begins like one of these and is none.
    """
    try:
        found = machine_lines.parse(line)
    except ValueError as error:
        raise ValueError(f"{line!r} is printed; {error}") from None
    if found.kind == "curve":
        return ()
    if found.kind == "signature":
        return found.task, found.text
    metric = TIME if found.kind == "timed" else found.metric
    shown = quantity(metric, found.value)
    if found.seeds:
        shown += " ({} to {})".format(*(quantity(metric, end) for end in found.seeds))
    return found.task, found.model, metric, shown


def caption(about, values):
    said = " · ".join(f'{escape(name)} <span class="value">{value}</span>' for name, value in values.items())
    return f'<p class="recorded"><span class="about">{escape(about)}</span>: {said}</p>'


def recorded(lines):
    """All lines for the machine of one output: a caption for each model, or a table where there are several."""
    tasks, signatures = {}, []
    for line in lines:
        found = parse(line)
        if len(found) == 2:
            signatures.append(found)
        elif found:
            task, model, metric, shown = found
            tasks.setdefault(task, {}).setdefault(model, {}).setdefault(metric, shown)
    out = []
    for task, models in tasks.items():
        metrics = list(dict.fromkeys(metric for values in models.values() for metric in values))
        if len(models) == 1:
            ((model, values),) = models.items()
            out.append(caption(f"Recorded for {model}", values))
            continue
        if len(metrics) == 1:
            out.append(
                caption(f"Recorded, {metrics[0]}", {model: values[metrics[0]] for model, values in models.items()})
            )
            continue
        if len(models) >= len(metrics):
            header = ["model", *metrics]
            rows = [[escape(m), *(values.get(metric, "–") for metric in metrics)] for m, values in models.items()]
        else:
            header = ["metric", *models]
            rows = [[escape(metric), *(v.get(metric, "–") for v in models.values())] for metric in metrics]
        numeric = [False] + [True] * (len(header) - 1)
        out.append(table([escape(h) for h in header], rows, numeric, caption=f"Recorded: {escape(task)}"))
    out += [
        f'<p class="recorded">Signature of {escape(task)}: <code>{escape(text)}</code></p>' for task, text in signatures
    ]
    return "".join(out)


# ---------------------------------------------------------------- columns


def table(header, rows, numeric, caption=""):
    """A table of cells that are HTML already. A column's heading that is empty is no heading: it would be read out."""

    def cell(content, heading, column):
        side = ' class="number"' if numeric[column] else ""
        if heading and content:
            return f'<th scope="{heading}"{side}>{content}</th>'
        return f"<td{side}>{content}</td>"

    head = "".join(cell(content, "col", i) for i, content in enumerate(header))
    body = "".join(
        "<tr>" + "".join(cell(content, "" if i else "row", i) for i, content in enumerate(row)) + "</tr>"
        for row in rows
    )
    title = f"<caption>{caption}</caption>" if caption else ""
    classes = "printed-table recorded" if caption else "printed-table"
    return f'<div class="{classes}"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def fields(text):
    return re.split(r" {2,}", text.strip())


def in_columns(line):
    """Whether a line holds its place by spaces, so that it must not wrap. A label and a sentence behind it may."""
    parts = fields(line)
    if len(parts) == 2 and len(re.findall(r"\b[a-z]+\b", parts[1])) >= 2 and len(parts[1].split()) >= 4:
        return False
    return len(parts) > 1 or bool(re.match(r"\s*(tensor\(|array\()?\[", line))


def is_number(cell):
    return bool(NUMBER.fullmatch(cell)) or cell in NOTHING


def spans(lines):
    """Where the columns lie: (start, stop) between gaps of two spaces or more that all lines share."""
    width = max(map(len, lines))
    used = [any(c < len(line) and line[c] != " " for line in lines) for c in range(width)]
    found, start, blank = [], None, 0
    for c, full in enumerate([*used, False, False]):
        blank = 0 if full else blank + 1
        if full and start is None:
            start = c
        elif start is not None and blank == 2:
            found.append((start, c - 1))
            start = None
    return found


def as_table(header, rows):
    """(header's cells, rows of cells, which columns are numbers), or None where there is a doubt."""
    columns = spans([header, *rows])
    if len(columns) < 2:
        return None
    top = [header[a:b].strip() for a, b in columns]
    cells = [[row[a:b].strip() for a, b in columns] for row in rows]
    # Cut at each line's own gaps, the cells are the same ones. A row's name, in front, may hold a gap of its own.
    if fields(header) != [cell for cell in top if cell] or any("  " in cell for row in cells for cell in row[1:]):
        return None
    if any(fields(row)[-len(found) + 1 :] != found[1:] for row, found in zip(rows, cells)):
        return None
    numeric = []
    for i, (a, b) in enumerate(columns):
        column = [row[i] for row in cells]
        if not all(column):
            return None
        numbers = all(map(is_number, column)) and not all(cell in NOTHING for cell in column)
        if numbers and not lined_up([row[a:b].ljust(b - a) for row in rows]):
            return None
        if i and not top[i]:
            return None
        numeric.append(numbers)
    if not any(numeric[1:]) or not is_heading([t for t, n in zip(top, numeric) if n], cells, numeric):
        return None
    return top, cells, numeric


def lined_up(column):
    """Whether the cells of a column of numbers, cut out with their spaces, begin, end or have their point together."""
    starts = {len(cell) - len(cell.lstrip()) for cell in column}
    ends = {len(cell.rstrip()) for cell in column}
    points = {cell.find(".") for cell in column}
    return len(starts) == 1 or len(ends) == 1 or (len(points) == 1 and -1 not in points)


def is_heading(titles, cells, numeric):
    """Whether the first line of a table is its heading and not another row.

    Words are. Numbers are only if they are integers that grow, such as lengths or orders, over numbers of another kind.
    """
    if not all(map(is_number, titles)):
        return True
    below = [cell for row in cells for cell, n in zip(row, numeric) if n]
    whole = all(re.fullmatch(r"\d+", t) for t in titles)
    return whole and sorted(set(map(int, titles))) == [int(t) for t in titles] and any("." in cell for cell in below)


def tables_in(lines):
    """[(first line, line after the last, table)]: nothing at all unless every line in columns is part of one."""
    found, i = [], 0
    while i < len(lines):
        stop = i + 1
        while stop < len(lines) and re.search(r"\S {2,}\S", lines[stop]) and is_number(fields(lines[stop])[-1]):
            stop += 1
        parsed = as_table(lines[i], lines[i + 1 : stop]) if stop - i > LEAST_ROWS else None
        if parsed:
            found.append((i, stop, parsed))
        i = stop if parsed else i + 1
    inside = {i for start, stop, _ in found for i in range(start, stop)}
    if any(in_columns(line) for i, line in enumerate(lines) if i not in inside):
        return []
    return found


# ---------------------------------------------------------------- all of it


def shape(line):
    """How a line begins, whatever its numbers: two neighbours of one shape are set alike."""
    return re.sub(r"\d+", "0", " ".join(line.split()))[:5]


def kinds(lines):
    """For each line, whether it keeps its columns."""
    aligned = [in_columns(line) for line in lines]
    for i, line in enumerate(lines):
        opened = line.endswith(("(", "[", "{", ",")) and i + 1 < len(lines) and lines[i + 1].startswith(" ")
        aligned[i] |= opened or bool(re.fullmatch(r"[\])}]+", line.strip()))
    for order in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        step = -1 if order.step > 0 else 1
        for i in order:
            if aligned[i + step] and shape(lines[i]) == shape(lines[i + step]):
                aligned[i] = True
    return aligned


def set_line(line):
    """A line that may wrap, with what is needed to keep its indentation in view when it does."""
    indent = len(line) - len(line.lstrip(" "))
    style = f' style="--i:{indent}"' if indent else ""
    return f'<span class="line"{style}>{escape(line)}\n</span>'


def set_lines(lines):
    """Lines without a table: runs of one kind, each in a box of its own."""
    out, aligned = [], kinds(lines)
    start = 0
    for i in range(1, len(lines) + 1):
        if i == len(lines) or aligned[i] != aligned[start]:
            run = lines[start:i]
            if aligned[start]:
                text = escape("\n".join(run))
                out.append(f'<pre class="aligned" style="--columns:{max(map(len, run))}">{text}</pre>')
            else:
                out.append(f'<pre class="said">{"".join(map(set_line, run))}</pre>')
            start = i
    return "".join(out)


def claims(lines):
    """A list of claims. A claim's line ends in its values, after the last colon."""
    items = []
    for line in lines:
        text, colon, values = line.rpartition(": ")
        shown = f'{escape(text)}: <span class="values">{escape(values)}</span>' if colon else escape(line)
        items.append(f"<li>{shown}</li>")
    return f'<ul class="claims">{"".join(items)}</ul>' if items else ""


def printed(text, claimed=False):
    """The HTML of an output, empty where nothing of it is for a reader. `claimed` is that of the claims' cell.

    Raises ValueError for a line that begins like one for the machine and is none.
    """
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    for_machine = [line for line in lines if MACHINE.match(line)]
    lines = [line for line in lines if not MACHINE.match(line)]
    if claimed:
        return claims([line for line in lines if line.strip()]) + recorded(for_machine)
    while lines and not lines[-1]:
        lines.pop()
    out, done = [], 0
    for start, stop, (top, cells, numeric) in tables_in(lines):
        out.append(set_lines(lines[done:start]) if start > done else "")
        rows = [["–" if cell in NOTHING else escape(cell) for cell in row] for row in cells]
        out.append(table([escape(cell) for cell in top], rows, numeric))
        done = stop
    if done < len(lines):
        out.append(set_lines(lines[done:]))
    return "".join(out) + recorded(for_machine)
