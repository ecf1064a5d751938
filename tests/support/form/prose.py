"""What stands in the text: markdown that reads the same everywhere, plain prose, and the field's words."""

import re

from tests.support.form.reading import MARKDOWN, links, markdown_cells, pieces, prose, quoted

BANNED = ("it is important to note", "delve", "crucial", "simply put")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")
# What the book says otherwise (see CONTRIBUTING.md), as far as a pattern can tell the meaning.
AVOIDED = {
    "numbers, for parameters": r"\b(?:numbers (?:that (?:it|they|are)|to learn|it learns|learned)|"
    r"(?:million|thousand|equally many|as many|\d[\d,]*) numbers)\b",
    "place, for position": r"(?<!take )(?<!takes )(?<!took )(?<!in )(?<!first )(?<!its )(?<!their )"
    r"\bplaces?\b(?! of\b)",
    "piece, for subword or token": r"\bpieces?\b",
    "look, for attention": r"\blook(?:s|ed|ing)? (?:at|back|ahead|over)\b|\b(?:a|one|the|each|every) looks?\b",
    "bet, for prediction": r"\bbets?\b",
    "floor, for baseline": r"\bfloors?\b",
    "words wrong, for word error rate": r"\bwords? (?:are |were |was )?(?:wrong|misread)\b|"
    r"\b(?:wrong|misread) words?\b",
    "turn, for rotation": r"\bturn(?:s|ed)? (?:by|through)\b|\b(?:un)?turned\b",
    "hears, deaf, loudness, lots, debts": r"\b(?:hears?|heard|deaf|loud(?:ness|er|ly)?|lots|debts?)\b",
    "numbers hard to read": r"\bthousand million\b|\bmillions of millions\b|\btenth of a millionth\b",
}


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


def avoided(notebook):
    """How often each of the words to avoid stands in a chapter's prose, those that do."""
    text = "\n".join(prose(cell.source) for cell in markdown_cells(notebook))
    text = " ".join(text.split())
    counts = {name: len(re.findall(pattern, text, flags=re.I)) for name, pattern in AVOIDED.items()}
    return {name: count for name, count in counts.items() if count}
