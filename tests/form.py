"""What the form of a chapter is checked for. Each check takes a notebook and its name, and returns complaints.

A complaint is a sentence that says what is wrong and, where it is not plain, what mends it. test_form.py applies the
checks to the book; test_form_catches.py plants the mistakes and sees each check complain.
"""

import ast
import json
import re
import unicodedata

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pybtex.database import parse_string

from tools import notebooks as nb

SETUP_LINES, CLASS_LINES, RECAP_LINES = 30, 45, 150
# Part IV brings models back whole: two translators and both ways of decoding; a reader, a letter model and their loops.
RECAP_LINES_OF = {"13": 280, "14": 175}
DATA_RECAPS = {f"recap:{name}" for name in ("load_cmudict", "showcase_words", "word_families", "split_by_family")}
ALT_LETTERS = 40
IGNORED_CELLS = 3
NOTEBOOK_BYTES, STUDY_BYTES = 1_500_000, 20_000
PLAIN_TAGS = {
    *("needs", "setup", "claims", "timing", "solution", "hide-input", "hide-cell", "recap-note", "nbval-ignore-output"),
}
NAMED_TAGS = ("define", "recap", "study", "study-note")
BANNED = ("it is important to note", "delve", "crucial", "simply put")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")
# The lookbehind lets addresses such as https://example.org/home/ pass.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/\-])/(?:work|home|root|tmp|Users)/[\w.\-]*|\bC:\\[\w\\]*")


# ---------------------------------------------------------------- reading a notebook


MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def quoted(text, length=60):
    text = " ".join(text.split())
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def markdown_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "markdown"]


def cells_tagged(notebook, tag):
    return [c for c in notebook.cells if tag in nb.tags(c)]


def pieces(source):
    """The leaves of a markdown text in reading order: (kind, text, inside a block quote)."""
    depth = 0
    for token in MARKDOWN.parse(source):
        depth += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        if token.type == "inline":
            for child in token.children:
                yield child.type, child.content, depth > 0
                if child.type == "image":
                    yield "text", child.content, depth > 0
            yield "end", "", depth > 0
        else:
            yield token.type, token.content, depth > 0


def prose(source, with_quotes=True):
    """The words of a markdown text: no code, no mathematics, no markup, and no quotations unless asked for."""
    words = []
    for kind, text, quote in pieces(source):
        if quote and not with_quotes:
            continue
        if kind == "text":
            words.append(text)
        elif kind in ("softbreak", "hardbreak", "end"):
            words.append("\n")
        elif kind == "html_block":
            words.append(re.sub(r"<!--.*?-->|<[^>]*>", " ", text, flags=re.S))
        elif kind in ("code_inline", "math_inline", "math_inline_double"):
            words.append("`")  # something stood here: two words do not become neighbours
    return "".join(words)


def links(source):
    """[(text, address)] of the links of a markdown text, and [address] of its images."""
    found, images = [], []
    for token in MARKDOWN.parse(source):
        address, text = None, ""
        for child in token.children or []:
            if child.type == "link_open":
                address, text = child.attrGet("href"), ""
            elif child.type == "link_close":
                found.append((text, address))
                address = None
            elif child.type == "image":
                images.append(child.attrGet("src"))
            elif address is not None:
                text += " " if child.type == "softbreak" else child.content
    return found, images


def headings(source):
    """[(level, text)]"""
    found, level = [], None
    for kind, text in (
        (t.type + (t.tag if t.type == "heading_open" else ""), t.content) for t in MARKDOWN.parse(source)
    ):
        if kind.startswith("heading_open"):
            level = int(kind[-1])
        elif kind == "inline" and level:
            found.append((level, text))
            level = None
    return found


def story(notebook):
    """What comes in which order: ("heading", level, text), ("details",), ("code", tags)."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield ("code", nb.tags(cell))
            continue
        level = None
        for token in MARKDOWN.parse(cell.source):
            if token.type == "heading_open":
                level = int(token.tag[1])
            elif token.type == "inline" and level:
                yield ("heading", level, token.content)
                level = None
            elif token.type == "html_block" and "<details" in token.content:
                yield ("details",)


def output_texts(cell):
    """Every text that a cell's outputs hold, pictures aside."""
    for output in cell.get("outputs", []):
        if "text" in output:
            yield output.text
        yield from output.get("traceback", [])
        for mime, data in output.get("data", {}).items():
            if not mime.startswith("image/") or mime == "image/svg+xml":
                yield data if isinstance(data, str) else json.dumps(data)


# ---------------------------------------------------------------- outputs


def stamp(notebook, name):
    """The outputs were made by the code as it is."""
    if notebook.metadata.get("book", {}).get("source_hash") == nb.source_hash(notebook):
        return []
    return [f"the code has changed since the outputs were stored: run `make run NB={name[:2]}`, look, commit"]


def has_run(notebook, name):
    remedy = f"run `make run NB={name[:2]}`"
    found = [f"{quoted(c.source)} has not run: {remedy}" for c in nb.code_cells(notebook) if c.execution_count is None]
    for cell in nb.code_cells(notebook):
        if any(o.output_type == "error" for o in cell.outputs):
            found.append(f"{quoted(cell.source)} stored an error: mend it and {remedy}")
    return found


def no_widgets(notebook, name):
    found = ["the notebook's metadata hold widget state"] if "widgets" in notebook.metadata else []
    for cell in nb.code_cells(notebook):
        if any("widget" in mime for o in cell.outputs for mime in o.get("data", {})):
            found.append(f"{quoted(cell.source)} stored a widget, which readers of the site cannot see")
    return [f"{text}: run `make run NB={name[:2]}`, which leaves them out" for text in found]


def no_stderr(notebook, name):
    return [
        f"{quoted(c.source)} stored stderr: run `make run NB={name[:2]}`, which leaves it out"
        for c in nb.code_cells(notebook)
        if any(o.output_type == "stream" and o.name == "stderr" for o in c.outputs)
    ]


def no_absolute_paths(notebook, name):
    found = []
    for cell in notebook.cells:
        for text in (cell.source, *output_texts(cell)):
            found += [f"the path {m[0]} stands in {quoted(cell.source)}" for m in ABSOLUTE_PATH.finditer(text)]
    return found


def alt_text(notebook, name):
    """One figure a cell at most, described for those who cannot see it."""
    found = []
    for cell in nb.code_cells(notebook):
        drawn = sum(any(mime.startswith("image/") for mime in o.get("data", {})) for o in cell.outputs)
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if drawn > 1:
            found.append(f"{quoted(cell.source)} draws {drawn} figures, and there is one alt text a cell: divide it")
        if drawn and len(alt) < ALT_LETTERS:
            found.append(
                f"the figure of {quoted(cell.source)} has an alt text of {len(alt)} letters: say what it shows in "
                f'{ALT_LETTERS} or more, in the cell\'s metadata: {{"mystnb": {{"image": {{"alt": "..."}}}}}}'
            )
    return found


# ---------------------------------------------------------------- cells and their tags


def first_cells(notebook, name):
    """A title, then what the notebook needs, then the setup."""
    found = []
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        found.append("the first cell must be markdown that begins with the title, `# ...`")
    titles = [text for c in markdown_cells(notebook) for level, text in headings(c.source) if level == 1]
    if len(titles) != 1:
        found.append(f"a chapter has one title (`# ...`); this one has {len(titles)}: {titles}")
    code = [c for c in notebook.cells if c.cell_type == "code"]
    for place, tag in enumerate(("needs", "setup")):
        if tag not in nb.tags(code[place]) if len(code) > place else True:
            found.append(f"code cell {place + 1} must be the one tagged `{tag}`")
        if len(cells_tagged(notebook, tag)) != 1:
            found.append(f"{len(cells_tagged(notebook, tag))} cells are tagged `{tag}`; there must be one")
    return found


def known_tags(notebook, name):
    return [
        f"{quoted(c.source)} has the tag `{tag}`, which means nothing here"
        for c in notebook.cells
        for tag in nb.tags(c)
        if tag not in PLAIN_TAGS and not re.fullmatch(rf"(?:{'|'.join(NAMED_TAGS)}):\w+", tag)
    ]


def ignored_outputs(notebook, name):
    """Nothing is left unchecked lightly."""
    found = []
    ignored = cells_tagged(notebook, "nbval-ignore-output")
    if len(ignored) > IGNORED_CELLS:
        found.append(f"{len(ignored)} cells are tagged `nbval-ignore-output`; {IGNORED_CELLS} are allowed")
    for cell in notebook.cells:
        bad = {"nbval-skip", "nbval-raises-exception", "raises-exception"} & set(nb.tags(cell))
        if cell.cell_type == "code":
            bad |= set(re.findall(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", cell.source))
        found += [f"{quoted(cell.source)} carries {mark}, which hides failures" for mark in sorted(bad)]
    return found


def definition_cells(notebook, name):
    """A definition is one function or class, documented, and short."""
    found = []
    for cell in notebook.cells:
        defined = nb.tagged(cell, "define")
        if defined is None:
            continue
        body = nb.parse(cell.source).body
        kinds = (ast.FunctionDef, ast.ClassDef)
        if len(body) != 1 or not isinstance(body[0], kinds) or body[0].name != defined:
            found.append(f"the cell define:{defined} must hold one function or class of that name, and nothing else")
            continue
        if not ast.get_docstring(body[0]):
            found.append(f"{defined} has no docstring")
        lines = body[0].end_lineno - body[0].lineno + 1
        if isinstance(body[0], ast.ClassDef) and lines > CLASS_LINES:
            found.append(f"the class {defined} takes {lines} lines; {CLASS_LINES} are the most that one can take in")
    return found


def recap_length(notebook, name):
    """The 53 lines that load and split the dictionary are the same in every chapter that reads it, and do not count."""
    lines = sum(
        len(nb.code_only(c.source).splitlines())
        for c in notebook.cells
        if nb.tagged(c, "recap") and c.cell_type == "code" and not DATA_RECAPS.intersection(nb.tags(c))
    )
    most = RECAP_LINES_OF.get(name[:2], RECAP_LINES)
    if lines <= most:
        return []
    return [f"the recaps hold {lines} lines of code beside the data's; past {most} a chapter is two chapters"]


# ---------------------------------------------------------------- the end of a chapter


def claims(notebook, name):
    cells = cells_tagged(notebook, "claims")
    if len(cells) != 1:
        return [f"{len(cells)} cells are tagged `claims`; there must be one"]
    found = []
    asserts = sum(isinstance(node, ast.Assert) for node in ast.walk(nb.parse(cells[0].source)))
    if asserts < 3:
        found.append(f"the claims cell holds {asserts} assertions; a chapter claims at least 3 things")
    if not any(
        o.output_type == "stream" and o.name == "stdout" and o.text.strip() for o in cells[0].get("outputs", [])
    ):
        found.append("the claims cell prints nothing: print each claim with its measured value")
    before, after, seen = [], [], False
    for kind, *rest in story(notebook):
        seen = seen or (kind == "code" and "claims" in rest[0])
        if kind == "heading" and rest[0] == 2:
            (after if seen else before).append(rest[1])
    if "What we measured" not in before[-1:]:
        found.append('the claims cell must stand under the heading "## What we measured"')
    if after != ["Exercises", "Further reading"]:
        found.append(f'after the claims come "## Exercises" and "## Further reading", not {after}')
    return found


def exercises(notebook, name):
    """Three to five, numbered, each with a solution."""
    solved = []
    number = None
    found = []
    for kind, *rest in story(notebook):
        if kind == "heading":
            match = re.match(r"Exercise (\d+)\b", rest[1]) if rest[0] == 3 else None
            number = int(match[1]) if match else None
            if number is not None:
                solved.append([number, False])
        elif number is not None and (kind == "details" or (kind == "code" and "solution" in rest[0])):
            solved[-1][1] = True
    if not 3 <= len(solved) <= 5:
        found.append(f"there are {len(solved)} exercises (`### Exercise 1` ...); a chapter has three to five")
    if [n for n, _ in solved] != list(range(1, len(solved) + 1)):
        found.append(f"the exercises are numbered {[n for n, _ in solved]}")
    found += [
        f"exercise {n} has no solution: neither a code cell tagged `solution` nor a <details> follows it"
        for n, done in solved
        if not done
    ]
    return found


# ---------------------------------------------------------------- markdown


def plain_markdown(notebook, name):
    """CommonMark, tables and $mathematics$ only: what reads the same on the site, on GitHub and in Colab."""
    found = []
    for cell in markdown_cells(notebook):
        seen = []
        before = ""
        for kind, text, _ in pieces(cell.source):
            if kind == "code_inline" and re.search(r"\{[\w:+\-]+\}$", before):
                seen.append(f"the role {re.search(r'{[^}]*}$', before)[0]}`{text}`")
            if kind == "math_block_label":
                seen.append("a label after $$")
            if kind in ("html_block", "html_inline"):
                seen += [f"<{tag}>" for tag in re.findall(r"<\s*(img|script|style|iframe|video|object|svg)\b", text)]
            before = text if kind == "text" else ""
        for token in MARKDOWN.parse(cell.source):
            if token.type == "fence" and token.info.strip().startswith("{"):
                seen.append(f"the directive {token.info.strip()}")
        words = prose(cell.source)
        patterns = {
            r"^\s*:{3,}.*$": "the colon fence {}",
            r"^%.*$": "the comment {}",
            r"^\([\w:.\-]+\)=": "the target {}",
            r"\{[#.][\w\-][^}]*\}": "the attribute {}",
            r"\{\{.*?\}\}": "the substitution {}",
            r"\[\^[\w\-]+\]": "the footnote {}",
            r"\\begin\{\w+\*?\}": "{} outside $$",
        }
        for pattern, text in patterns.items():
            seen += [text.format(quoted(m[0])) for m in re.finditer(pattern, words, flags=re.M)]
        if "$" in words:
            line = next(line for line in words.splitlines() if "$" in line)
            seen.append(
                "a dollar sign that opens no mathematics (a code span for the sign, empty lines around $$): "
                + quoted(line)
            )
        found += [f"{quoted(cell.source, 40)} uses {text}, which Colab and GitHub show raw" for text in seen]
    return found


def links_stand_alone(notebook, name):
    """A notebook opened by itself finds nothing beside it."""
    found = []
    for cell in markdown_cells(notebook):
        addresses, images = links(cell.source)
        for text, address in addresses:
            if not re.match(r"https?://", address):
                found.append(
                    f"the link [{text}]({address}) leads nowhere from Colab: give a full address or name the chapter"
                )
        found += [f"the image {address} does not travel with the notebook: draw it in a cell" for address in images]
    return found


def prose_complaints(source):
    """What the book's prose leaves out."""
    words = prose(source)
    found = [
        f"the phrase {phrase!r}" for phrase in BANNED if re.search(rf"\b{phrase}", " ".join(words.split()), flags=re.I)
    ]
    found += [f"the emoji {match[0]}" for match in EMOJI.finditer(words)]
    found += [f"an em dash in {quoted(line)}" for line in words.splitlines() if re.search(r"\u2014|---|\s--\s", line)]
    plain = prose(source, with_quotes=False)
    found += [f"an exclamation mark in {quoted(line)}" for line in plain.splitlines() if "!" in line]
    return found


def plain_prose(notebook, name):
    return [
        f"{quoted(c.source, 40)} holds {text}: say it plainly"
        for c in markdown_cells(notebook)
        for text in prose_complaints(c.source)
    ]


def page_prose(text):
    """Complaints about a page of book/, which may use all of MyST."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"^%.*$|^:{3,}.*$", "", text, flags=re.M)
    return prose_complaints(text)


# ---------------------------------------------------------------- citations


CITATION = re.compile(r"([^\W\d_][^()\[\]]*?) \((\d{4})[a-z]?\)")


def folded(text):
    """Without accents, braces and capitals, so that Schütze, Sch\\"utze and {Sch{\\"u}tze} agree."""
    text = re.sub(r"\\[\"'`^~=.]\s*|\\[uvHcdbk](?=[\s{])\s*|[{}]", "", text)
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).lower().replace("\u2019", "'").strip()


def read_bibliography(text):
    """[(surnames, year, addresses)] of a .bib file."""
    found = []
    for entry in parse_string(text, "bibtex").entries.values():
        people = entry.persons.get("author") or entry.persons.get("editor") or []
        surnames = [folded(" ".join([*p.prelast_names, *p.last_names])) for p in people]
        fields = entry.fields
        addresses = {fields.get("url", "")}
        if "doi" in fields:
            addresses.add("https://doi.org/" + fields["doi"])
        if "eprint" in fields:
            addresses.add("https://arxiv.org/abs/" + fields["eprint"])
        found.append((surnames, fields.get("year", ""), addresses - {""}))
    return found


def is_cited(names, year, address, bibliography):
    """Whether an entry has these authors, this year and this address."""
    many = " et al." in names
    given = [folded(n) for n in re.split(r", and |, | and | & ", names.replace(" et al.", ""))]
    for surnames, published, addresses in bibliography:
        same = surnames[:1] == given and len(surnames) > 2 if many else surnames == given
        if same and published == year and address in addresses:
            return True
    return False


def citations(notebook, bibliography):
    found = []
    for cell in markdown_cells(notebook):
        for text, address in links(cell.source)[0]:
            match = CITATION.fullmatch(" ".join(text.split()))
            scholarly = re.match(r"https?://(?:dx\.|www\.|export\.)?(?:doi\.org|arxiv\.org)/", address or "")
            if match and not is_cited(match[1], match[2], address, bibliography):
                found.append(
                    f"[{text}]({address}) has no entry in book/references.bib with these authors, this year and "
                    "this address (as url, doi or eprint)"
                )
            elif scholarly and not match:
                found.append(f"[{text}]({address}) must be a citation: the link's text is the authors and the (year)")
    return found


# ---------------------------------------------------------------- the whole book


def setup_cells(notebooks):
    """The setup cell, the same everywhere. Takes {name: notebook}."""
    found, first = [], None
    for name, notebook in notebooks.items():
        for cell in cells_tagged(notebook, "setup"):
            lines = len(cell.source.strip().splitlines())
            if lines > SETUP_LINES:
                found.append(f"{name}: the setup cell takes {lines} lines; {SETUP_LINES} are allowed")
            first = first or (name, cell.source)
            if cell.source != first[1]:
                found.append(
                    f"{name}: the setup cell differs from {first[0]}'s: "
                    f"copy one to the other, then `make run NB={name[:2]}`"
                )
    return found


def rebound(notebook, defined):
    """Names of definitions that another cell binds again: one name has one meaning in the whole book."""
    found = []
    for cell in nb.code_cells(notebook):
        own = nb.tagged(cell, "define") or nb.tagged(cell, "recap")
        for name in sorted((nb.bound_names(cell.source) & set(defined)) - {own}):
            found.append(f"{quoted(cell.source)} binds {name}, which is a definition of the book: choose another name")
    return found


def study_complaints(text):
    """Complaints about the stored result of a study, given as the text of its file."""
    found = []
    if len(text.encode()) > STUDY_BYTES:
        found.append(f"it takes {len(text.encode())} bytes; {STUDY_BYTES} is the most that a chapter can carry")
    study = json.loads(text)
    missing = [
        key for key in ("study", "about", "command", "machine", "seconds", "definitions", "results") if key not in study
    ]
    if missing:
        found.append(f"it does not say its {', '.join(missing)}")

    def seeds(node):
        if isinstance(node, dict):
            return any(key in ("seed", "seeds") or seeds(value) for key, value in node.items())
        return isinstance(node, list) and any(map(seeds, node))

    if not seeds(study.get("results", {})):
        found.append("its results do not say which seeds they come from (a key `seeds` or `seed`)")
    return found


CHECKS = [
    stamp,
    has_run,
    no_widgets,
    no_stderr,
    no_absolute_paths,
    alt_text,
    first_cells,
    known_tags,
    ignored_outputs,
    definition_cells,
    recap_length,
    claims,
    exercises,
    plain_markdown,
    links_stand_alone,
    plain_prose,
]
