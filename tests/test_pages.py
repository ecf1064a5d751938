"""What the pages are made of: the landing figure's script and its drawings, and the entries of the bibliography."""

import importlib.util
import itertools
import re

import pytest
from pybtex.database import parse_string

from tools import notebooks as nb

BIBLIOGRAPHY = nb.ROOT / "book" / "references.bib"


def landing():
    spec = importlib.util.spec_from_file_location("landing", nb.ROOT / "book" / "figures" / "landing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def outline(svg):
    """(text, numbers) of an SVG file. Names, which are hashes of shapes, are counted in order of appearance."""
    names = {}
    for match in re.finditer(r'\bid="([^"]+)"', svg):
        names.setdefault(match[1], f"name{'i' * len(names)}")
    svg = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{names[m[1]]}"', svg)
    svg = re.sub(r"#([\w-]+)(?=[\"')])", lambda m: "#" + names.get(m[1], m[1]), svg)
    letters = str.maketrans("0123456789", "ghijklmnop")
    kept = re.sub(r"#[0-9a-f]{6}\b", lambda m: m[0].translate(letters), svg)  # a colour is no number
    return NUMBER.sub("0", kept), [float(n) for n in NUMBER.findall(kept)]


def differs(drawn, stored):
    """Whether two drawings differ by more than the last digits of another machine's arithmetic."""
    (text, numbers), (stored_text, stored_numbers) = outline(drawn), outline(stored)
    return text != stored_text or any(abs(a - b) > 0.01 for a, b in zip(numbers, stored_numbers, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_landing_figure_is_what_its_script_draws(theme):
    script = landing()
    drawn, stored = script.render(theme).decode(), script.path(theme).read_text(encoding="utf-8")
    assert not differs(drawn, stored), "run .venv/bin/python book/figures/landing.py"


@pytest.mark.parametrize(
    ("name", "value"),
    [("SIZE", 13.0), ("SOUND", "M"), ("KEPT", (1, 0.72, 0.5, 0.32, 0.18, 0.5)), ("RADIUS", 0.3), ("WORD", "knjght")],
)
def test_a_changed_script_is_seen(name, value):
    script = landing()
    stored = script.path("light").read_text(encoding="utf-8")
    setattr(script, name, value)
    assert differs(script.render("light").decode(), stored)


def test_names_and_last_digits_do_not_count():
    one = '<path id="a1" d="M 1.00001 2"/><use href="#a1" style="fill: url(#b)" color="#d55e00"/>'
    assert not differs(one.replace("a1", "zz9").replace("1.00001", "1.00002"), one)
    assert differs(one.replace("d55e00", "d55e01"), one) and differs(one.replace("M 1", "M 2"), one)


# ---------------------------------------------------------------- the bibliography

ALWAYS = {"author", "title", "year", "doi", "url", "eprint", "archiveprefix", "primaryclass", "note", "month"}
FIELDS = {  # type: (needed, allowed)
    "article": ({"journal"}, {"volume", "number", "pages", "publisher"}),
    "inproceedings": (
        {"booktitle"},
        {"pages", "volume", "number", "series", "editor", "publisher", "address", "organization"},
    ),
    "book": ({"publisher"}, {"edition", "address", "series", "volume", "editor"}),
    "techreport": ({"institution"}, {"type", "number", "address"}),
    "phdthesis": ({"school"}, {"type", "address"}),
    "misc": (set(), {"howpublished"}),
}


def misspelt(text):
    """Fields of a .bib file that no program reads, and those that an entry of its type needs and lacks."""
    found = []
    for key, entry in parse_string(text, "bibtex").entries.items():
        if entry.type not in FIELDS:
            found.append(f"{key}: @{entry.type} is not a type the book uses ({', '.join(FIELDS)})")
            continue
        needed, allowed = FIELDS[entry.type]
        fields = {name.lower() for name in itertools.chain(entry.fields, entry.persons)}
        found += [f"{key}: a field named {name!r}" for name in sorted(fields - needed - allowed - ALWAYS)]
        found += [f"{key}: no {name}" for name in sorted((needed | {"author", "title", "year"}) - fields)]
        if not fields & {"doi", "url", "eprint"}:
            found.append(f"{key}: nothing to find it by (doi, url or eprint)")
    return found


def test_the_bibliography_uses_the_fields_that_are_read():
    complaints = misspelt(BIBLIOGRAPHY.read_text(encoding="utf-8"))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("name", ["author", "title", "journal", "volume", "pages", "year", "doi"])
def test_a_misspelt_field_is_seen(name):
    entry = re.search(r"@article\{elman1990,.*?\n\}\n", BIBLIOGRAPHY.read_text(encoding="utf-8"), re.S)[0]
    assert misspelt(entry) == []
    assert misspelt(re.sub(rf"\b{name} =", f"{name}s =", entry))
    assert misspelt(entry.replace("@article", "@inproceeding"))
