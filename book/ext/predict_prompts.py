"""A prompt: what a reader predicts before a measurement is shown, and where the measurement stands.

A page or a notebook writes it as a comment, which nothing but the site understands:

    <!-- predict: id | question | kind | unit, range, log? | where the answer is -->

    number   % , 20 to 60          or   share left, %, 1e-10 to 1000, log
             record: task; model; metric         or   claim: how its text begins; name or index of the value
    choice   one option / another / a third
             claim: how its text begins; name or index of a value that is one of the options
    curve    words wrong, %, 0 to 100; letters in the word
             curve: task; model; metric; given: task; model; metric    (what is given is drawn from the start)

The answer to a number or a curve may end in `; x100`, which multiplies what was recorded. `<!-- predict: end -->` ends
what a prompt hides before the next heading or prompt does.
"""

import re
from dataclasses import dataclass, field

from results_records import claimed

COMMENT = re.compile(r"<!--\s*predict\b(?P<inside>.*?)-->", re.S)
NUMBER = r"-?(?:\d[\d,]*)(?:\.\d+)?(?:e[-+]?\d+)?"
RANGE = re.compile(rf"(?:(?P<what>.+?)\s*,\s*)?(?P<low>{NUMBER}) to (?P<high>{NUMBER})(?P<log>\s*,\s*log)?")
SOURCES = {  # kind: {where the answer is: in how many parts it says so}
    "number": {"record": 3, "claim": 2},
    "choice": {"claim": 2},
    "curve": {"curve": 3, "given": 3},
}
FEWEST_POINTS = 3
END = "end"


class Malformed(ValueError):
    """What is wrong with a prompt, in a sentence that begins in lower case."""


@dataclass(frozen=True)
class Prompt:
    id: str
    question: str
    kind: str
    label: str = ""  # what the number is, where that is said
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    across: str = ""  # what a curve is drawn against
    options: tuple = ()
    sources: dict = field(default_factory=dict)  # {"record": (task, model, metric)} and the like
    scale: float = 1.0


def comments(text):
    """Every comment in `text` that is, or wants to be, a prompt or the end of one."""
    return [match[0] for match in COMMENT.finditer(text)]


def inside(comment):
    """What a comment says after `predict:`, its white space made even."""
    match = COMMENT.fullmatch(comment.strip())
    if not match:
        raise Malformed("the comment stands in a line with something else")
    text = match["inside"].strip()
    if not text.startswith(":"):
        raise Malformed("a colon is missing after `predict`")
    return " ".join(text[1:].split())


def parse_range(text, about):
    match = RANGE.fullmatch(text)
    if not match:
        raise Malformed(f"{about} {text!r} is not of the form `unit, 20 to 60` or `unit, 1e-9 to 10, log`")
    low, high = (float(match[side].replace(",", "")) for side in ("low", "high"))
    label, _, unit = (part.strip() for part in (match["what"] or "").rpartition(","))
    if not low < high:
        raise Malformed(f"its range {match['low']} to {match['high']} does not rise")
    if match["log"] and low <= 0:
        raise Malformed(f"a logarithmic range begins above 0, not at {match['low']}")
    return {"label": label, "unit": unit, "low": low, "high": high, "log": bool(match["log"])}


def parse_sources(text, kind):
    """({where: parts}, factor) of the last field."""
    found, scale, where = {}, 1.0, None
    for part in map(str.strip, text.split(";")):
        if re.fullmatch(r"x\d[\d.]*(?:e-?\d+)?", part):
            scale = float(part[1:])
            continue
        begins = re.match(r"(record|claim|curve|given):\s*(.*)", part)
        if begins:
            where, part = begins.groups()
            if where in found:
                raise Malformed(f"it names two answers with `{where}:`")
            found[where] = ()
        elif where is None:
            raise Malformed(f"where the answer is, {text!r}, begins with none of {', '.join(SOURCES[kind])}")
        found[where] += (part,)
    for where, parts in found.items():
        if where not in SOURCES[kind]:
            raise Malformed(f"a {kind} has no answer `{where}:`, but {' or '.join(SOURCES[kind])}")
        if len(parts) != SOURCES[kind][where] or not all(parts):
            raise Malformed(f"`{where}:` takes {SOURCES[kind][where]} names, semicolons between them, not {parts}")
    if kind == "curve" and "curve" not in found or len(found) - ("given" in found) != 1:
        raise Malformed(f"it names {len(found)} answers, and needs one: {' or '.join(SOURCES[kind])}")
    if scale != 1 and kind == "choice":
        raise Malformed("a choice has no factor")
    return found, scale


def parse(comment):
    """The prompt that a comment holds, None for the comment that ends one. Raises Malformed."""
    text = inside(comment)
    if text == END:
        return None
    fields = [part.strip() for part in text.split("|")]
    if len(fields) != 5 or not all(fields):
        raise Malformed(
            f"it has {len([f for f in fields if f])} fields, and needs five: "
            "`id | question | kind | unit and range | where the answer is`"
        )
    name, question, kind, scope, answer = fields
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name == END:
        raise Malformed(f"its id {name!r} is not lower-case letters, digits and hyphens")
    if kind not in SOURCES:
        raise Malformed(f"its kind {kind!r} is none of {', '.join(SOURCES)}")
    if "$" in question:
        raise Malformed("its question holds a dollar sign; a prompt sets no mathematics")
    sources, scale = parse_sources(answer, kind)
    if kind == "choice":
        options = tuple(option.strip() for option in scope.split("/"))
        if len(options) < 2 or not all(options) or len(set(options)) < len(options):
            raise Malformed(f"its options {scope!r} are not two or more different ones with `/` between them")
        return Prompt(name, question, kind, options=options, sources=sources)
    across = ""
    if kind == "curve":
        scope, _, across = (part.strip() for part in scope.partition(";"))
        if not across:
            raise Malformed("it does not say, after a semicolon, what the curve is drawn against")
    found = parse_range(scope, "its unit and range")
    if kind == "curve" and found["log"]:
        raise Malformed("a curve is drawn on a linear scale")
    return Prompt(name, question, kind, across=across, sources=sources, scale=scale, **found)


# ---------------------------------------------------------------- the answer


def claim_values(prompt, lines):
    """What a claim prints from the value on that the prompt names: `0.061, 0.057` for the first of two."""
    start, which = prompt.sources["claim"]
    start = start.rstrip(": ")
    hits = [line for line in lines if line.startswith(start)]
    if len(hits) != 1:
        several = "".join(f"\n  {hit}" for hit in hits)
        raise Malformed(f"{len(hits) or 'no'} claims begin with {start!r}, and one must{several}")
    _, colon, values = hits[0][len(start) :].partition(": ")
    items = values.split(", ")
    named = [k for k, item in enumerate(items) if item == which or item.startswith(f"{which} ")]
    if len(named) == 1:
        return ", ".join(items[named[0] :]).removeprefix(which).strip()
    if not named and which.isdigit() and 1 <= int(which) <= len(items) and colon:
        return ", ".join(items[int(which) - 1 :])
    raise Malformed(f"the claim {hits[0]!r} has {len(named) or 'no'} values called {which!r}")


def rounded(number):
    return float(f"{number:.6g}")


def within(prompt, numbers, what):
    for number in numbers:
        if not prompt.low <= number <= prompt.high:
            raise Malformed(f"{what}, {number:g}, lies outside its range, {prompt.low:g} to {prompt.high:g}")


def curve(prompt, records, where):
    key = prompt.sources[where]
    if ("curve", *key) not in records.curves:
        raise Malformed(f"no notebook prints a line `curve | {' | '.join(key)} | ...`")
    points = [[x, rounded(prompt.scale * y)] for x, y in records.curves["curve", *key]]
    if len(points) < FEWEST_POINTS:
        raise Malformed(f"the curve `{' | '.join(key)}` has {len(points)} points; {FEWEST_POINTS} are the fewest")
    within(prompt, [y for _, y in points], f"a value of the curve `{key[1]}`")
    return points


def answer(prompt, records, path=None):
    """What was measured, as the page's script reads it. `path`: the notebook that asks, whose claims are meant; None
    for a page, which may mean any chapter's. Raises Malformed."""
    if prompt.kind == "curve":
        points = curve(prompt, records, "curve")
        found = {"points": points, "model": prompt.sources["curve"][1]}
        if "given" in prompt.sources:
            found |= {"given": curve(prompt, records, "given"), "givenModel": prompt.sources["given"][1]}
            if [x for x, _ in found["given"]] != [x for x, _ in points]:
                raise Malformed("the curve that is given and the one that is asked for are not measured at the same x")
        return found
    if "record" in prompt.sources:
        key = prompt.sources["record"]
        if key not in records.values:
            raise Malformed(f"no notebook prints a line `record | {' | '.join(key)} | ...`")
        value, seeds = records.values[key], records.ranges.get(key)
    else:
        lines = [line for p in ([path] if path else records.paths) for line in claimed(p)]
        values, seeds = claim_values(prompt, lines), None
        if prompt.kind == "choice":
            fits = [o for o in prompt.options if values == o or values.startswith(f"{o}, ")]
            if not fits:
                raise Malformed(f"the claim says {values!r}, which is none of {' / '.join(prompt.options)}")
            return {"answer": prompt.options.index(max(fits, key=len))}
        try:
            value = float(values.partition(", ")[0].rpartition(" ")[2])  # by its index a value comes with its name
        except ValueError:
            raise Malformed(f"the claim says {values!r} there, which is no number") from None
    found = {"value": rounded(prompt.scale * value)}
    if seeds:
        found["seeds"] = sorted(rounded(prompt.scale * end) for end in seeds)
    within(prompt, [found["value"], *found.get("seeds", [])], "what was measured")
    return found


def specification(prompt, found):
    """All that the page's script knows of a prompt."""
    asked = {"id": prompt.id, "kind": prompt.kind, "question": prompt.question.replace("`", "")}
    if prompt.kind == "choice":
        return asked | {"options": list(prompt.options)} | found
    asked |= {name: getattr(prompt, name) for name in ("label", "unit", "low", "high", "log")}
    return asked | ({"across": prompt.across} if prompt.kind == "curve" else {}) | found
