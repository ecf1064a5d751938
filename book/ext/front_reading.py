"""What a chapter asks of a reader: its name and question, and the minutes that reading it takes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from book_measured import measured
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
WORDS_A_MINUTE, LINES_A_MINUTE = 220, 30  # of prose, and of visible code
FOLDED = {"setup", "recap", "claims", "solution", "hide-input"}
# The way through the book for who has little time: all of a chapter, or this part of it.
FAST = {1: "", 2: "", 3: "first half", 6: "last figure", **dict.fromkeys(range(8, 13), ""), 14: "", 15: ""}
SHARE = {"first half": 0.5, "last figure": 0.1}


@dataclass(frozen=True)
class Chapter:
    document: str  # notebooks/03_gradients
    number: int
    name: str
    question: str
    minutes: float

    @property
    def fast(self):
        """None where the fast path passes the chapter by, else the part to read, "" for all of it."""
        return FAST.get(self.number)


def prose(source):
    """The words that are read: no comments, no code, no solutions in <details>, a formula as one word."""
    for pattern in (r"<!--.*?-->", r"<details>.*?</details>", r"^```.*?^```"):
        source = re.sub(pattern, " ", source, flags=re.S | re.M)
    source = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " formula ", source, flags=re.S)
    source = re.sub(r"\]\([^)]*\)|<[^>]+>|[*_`#>|\[\]-]+", " ", source)
    return re.findall(r"\w[\w'’]*", source)


def text(cell):
    return "".join(cell["source"])  # a string, or a list of its lines


def reading_minutes(cells):
    """Minutes to read what is open: markdown up to the exercises, and code that is not folded."""
    words = lines = 0
    for cell in cells:
        source, tags = text(cell), set(cell["metadata"].get("tags", []))
        if cell["cell_type"] == "markdown":
            before, exercises, _ = source.partition("\n## Exercises")
            if source.startswith("## Exercises"):
                break
            words += len(prose(before))
            if exercises:
                break
        elif cell["cell_type"] == "code" and not tags & FOLDED and not any(t.startswith("study:") for t in tags):
            lines += len(source.splitlines())
    return words / WORDS_A_MINUTE + lines / LINES_A_MINUTE


def read_chapter(path):
    """The Chapter in a notebook. Raises ExtensionError if its first line is not `# Name: question?`."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    title = re.match(r"# (.+?): (.+\?)\s*$", text(cells[0]).splitlines()[0])
    if not title:
        raise ExtensionError(
            f"{path.name} begins {text(cells[0]).splitlines()[0]!r}; a chapter's first line is `# Name: question?`"
        )
    question = title[2][0].upper() + title[2][1:]
    return Chapter(f"notebooks/{path.stem}", int(path.name[:2]), title[1], question, reading_minutes(cells))


def parts(root=ROOT):
    """[(caption, [Chapter])] of the contents, the parts that hold chapters."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    found = []
    for part in contents["parts"]:
        paths = [root / f"{c['file']}.ipynb" for c in part["chapters"] if c["file"].startswith("notebooks/")]
        if paths:
            found.append((part["caption"], [read_chapter(path) for path in paths]))
    return found


def rounded(minutes):
    """Whole minutes, and from twenty on in steps of five: nobody reads to the minute."""
    return max(1, round(minutes)) if minutes < 20 else 5 * round(minutes / 5)


def fast_path(chapters):
    """The chapters of the fast path and the minutes it takes."""
    on_it = [c for c in chapters if c.fast is not None]
    return on_it, sum(c.minutes * SHARE.get(c.fast, 1) for c in on_it)


def running_time(document):
    """How long a chapter's code runs on one core, in words."""
    seconds = measured(document.rpartition("/")[2])["seconds"]
    return "under a minute" if seconds < 55 else f"{max(1, round(seconds / 60))} min"
