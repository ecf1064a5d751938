"""The symbols of mathematics: those that chapters use, and those that book/notation.md explains."""

import re

from tests.support.form.reading import MARKDOWN, markdown_cells

GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi "
    "varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell"
).split()
# Words, units and operators that stand in formulas and are no symbols of the book's.
NO_SYMBOL = re.compile(
    r"\\(?:text|mathrm|operatorname|mathit|mathtt|mathsf)\*?\{[^{}]*\}|\\(?:begin|end)\{[^{}]*\}|\\(?:quad|qquad|dots|ldots)"
)
SYMBOL = re.compile(r"\\(" + "|".join(sorted(GREEK, key=len, reverse=True)) + r")(?![A-Za-z])|\\[A-Za-z]+|([A-Za-z])")
NAMED = "Wb"  # whose subscript is part of the name: W_x, b_h
SUBSCRIPT = re.compile(r"_\{?\\?(?![ijt]+\b)([A-Za-z]+)\}?")  # indices are no part of a name


def symbols(formula):
    """{symbol} of a formula: letters and Greek letters, a weight or bias with its subscript, others without theirs."""
    formula, found, end = NO_SYMBOL.sub(" ", formula), set(), 0
    for match in SYMBOL.finditer(formula):
        name = match[1] or match[2]
        if name is None or match.start() < end:
            continue  # a command, such as \sum, or a subscript that was part of a name
        after = SUBSCRIPT.match(formula, match.end()) if name in NAMED else None
        found.add(f"{name}_{after[1]}" if after else name)
        end = after.end() if after else end
    return found


def formulas(text):
    """The formulas of a markdown text."""
    for token in MARKDOWN.parse(text):
        for leaf in [token, *(token.children or [])]:
            if leaf.type.startswith("math"):
                yield leaf.content


def of_chapter(notebook):
    return set().union(*(symbols(f) for cell in markdown_cells(notebook) for f in formulas(cell.source)), set())


def explained(page):
    """The symbols of the rows of the notation page's tables, also those a row explains on the way."""
    rows = [line for line in page.splitlines() if line.startswith("|") and "$" in line.split("|")[1]]
    return set().union(*(symbols(f) for row in rows for f in formulas(row)), set())


def unexplained(notebook, page):
    return sorted(of_chapter(notebook) - explained(page))
