"""Citations: each in book/references.bib, with its authors, year and address."""

import re
import unicodedata

from pybtex.database import parse_string

from tests.support.form.reading import links, markdown_cells

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
