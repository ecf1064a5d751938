"""The whole book as one PDF, printed by Chromium from the built site:  python tools/pdf.py [--site _build/html]

The pages of the site become one page of html in the order of _toc.yml, with a cover, the contents and, at the end, the
solutions that a chapter's page keeps folded. Links between pages become links within it. Chromium prints it twice: the
first time tells on which page everything stands, the second has these numbers in the contents and in references to
solutions. pypdf reads where things stand and adds the outline and the metadata. The file goes into the site, where the
landing page offers it if BOOK_PDF=1 stood in the environment when the site was built, and into _build.

`make pdf` does all of it. The style is that of the site on paper, book/assets/print.css; tools/pdf.css has the rest.
"""

import argparse
import html
import io
import json
import os
import posixpath
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit, NameObject

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book" / "ext")]

from book_paper import FILE, css_string, running_title

from tools.chromium import Chromium, ChromiumError, find

SUBTITLE = "From the recurrent network to the Transformer, every piece built in the open and every claim measured"
LICENCE = "Text and figures: CC BY 4.0. Code: MIT."
SKETCH = r"/landing-light\.svg$"  # of the landing page, for the cover
ONLY_ON_SITE = {"book/predictions"}  # a page that does nothing without its script
SOLUTIONS = "solutions"
FIRST = "Introduction"  # what the landing page is called in the book

# What is not printed. The style sheet hides the same on a page that a reader prints; here it need not be carried along.
DROPPED = ", ".join(
    [
        *("script", "noscript", "template", "style", "button", ".only-dark", ".paper-only", ".printed-book"),
        *(".headerlink", ".ask-link", ".forget-read", ".sd-summary-state-marker"),
        *(".fold-row", ".fold-setup", ".fold-recap", ".fold-study", ".fold-claims", ".predict", ".figure-enlarge"),
    ]
)
# What goes before the html is read, which halves the time that takes: a second copy of each formula, which would be
# found and copied with the first, and an element for each word of code that is printed black.
FORMULA = re.compile(r'<span class="katex-mathml"><math.*?</math></span>', re.S)
BLACK = re.compile(r'<span class="(?:n|nn|o|p|w)">([^<]*)</span>')
ARTICLE = re.compile(r'<article class="bd-article.*</article>', re.S)
HEAD = re.compile(r"<head>.*?</head>", re.S)


class PdfError(Exception):
    """What a reader is told instead of a traceback."""


# ---------------------------------------------------------------- what the book is made of


@dataclass
class Page:
    """A page of the site, ready for the book."""

    document: str
    title: str  # plain, with its number
    body: object  # the article
    sections: list = field(default_factory=list)  # (title, anchor)
    solutions: list = field(default_factory=list)  # (title, anchor of the exercise, anchor of the solution, html)

    @property
    def anchor(self):
        return anchor(self.document)


def table_of_contents(root=ROOT):
    """The parts of the book, [(caption, documents)]; the landing page is a part without a caption."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    for part in toc["parts"]:
        documents = [chapter["file"] for chapter in part["chapters"]]
        parts.append((part["caption"], [name for name in documents if name not in ONLY_ON_SITE]))
    return parts


def words(element):
    return " ".join(element.get_text().split())


def anchor(document, fragment=""):
    """How a place is called in the one page: a name that stays as it is in an address."""
    page = re.sub(r"[^\w-]+", "-", document.rpartition("/")[2], flags=re.A)
    return page + ("." + re.sub(r"[^\w.-]+", "-", fragment, flags=re.A) if fragment else "")


class Book:
    """The site's pages and what is written about them."""

    def __init__(self, site, root=ROOT):
        self.site, self.root = Path(site), root
        if not (self.site / "index.html").is_file():
            raise PdfError(f"there is no site in {site}: build it with `make book`")
        self.parts = table_of_contents(root)
        self.documents = [name for _, documents in self.parts for name in documents]
        self.cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
        self.address = ""  # of the site, where it is known
        self.sheets = []  # style sheets of all pages
        self.pages = {name: self.read(name) for name in self.documents}

    # ------------------------------------------------------------ a page

    def path_of(self, document, href):
        """The path within the site that an address on a page leads to, without its fragment."""
        path = unquote(urlsplit(href).path)
        if not path:
            return f"{document}.html"
        return posixpath.normpath(posixpath.join(posixpath.dirname(document), path))

    def file_of(self, document, href):
        """A file of the site that a page shows, as an address. Raises PdfError where it is missing."""
        path = self.site / self.path_of(document, href)
        if not path.is_file():
            raise PdfError(f"{document} shows {href}, and the site has no such file: build it again with `make book`")
        return path.resolve().as_uri()

    def read(self, document):
        path = self.site / f"{document}.html"
        if not path.is_file():
            raise PdfError(f"_toc.yml names {document}, and {self.site} has no such page: build it with `make book`")
        text = path.read_text(encoding="utf-8")
        head, article = HEAD.search(text), ARTICLE.search(text)
        if not head or not article or "<h1>" not in article[0]:
            raise PdfError(f"{document} has no article or no title")
        head = BeautifulSoup(head[0], "html.parser")
        self.take_sheets([self.file_of(document, e["href"]) for e in head.find_all("link", rel="stylesheet")])
        canonical = head.find("link", rel="canonical")
        if document == self.documents[0] and canonical:
            self.address = urljoin(canonical["href"], ".")
        body = BeautifulSoup(BLACK.sub(r"\1", FORMULA.sub("", article[0])), "html.parser").article
        page = Page(document, "", body)
        for element in body.select(DROPPED):
            if not element.decomposed:
                element.decompose()
        self.unfold(body)
        self.rename(document, body)
        self.lead(document, body)
        title = body.find("h1")
        if document == self.documents[0]:
            title.string = FIRST  # the book's title stands on the cover
        page.title = words(title)
        page.sections = [(words(h), h.find_parent("section")["id"]) for h in body.select("section > h2")]
        self.take_solutions(page)
        return page

    def take_sheets(self, sheets):
        """A style sheet that only some pages have goes where it stands among those of all."""
        at = len(self.sheets)
        for sheet in reversed(sheets):
            if sheet in self.sheets:
                at = self.sheets.index(sheet)
            else:
                self.sheets.insert(at, sheet)

    def unfold(self, body):
        """Folded code goes, in a solution it is part of what a reader looks up. Other folds are opened."""
        for fold in body.select("details.fold-code"):
            if fold.find_parent("details", class_="fold-solution"):
                fold.find("summary").decompose()
                fold.name = "div"
            else:
                fold.decompose()
        for cell in body.select("div.cell"):
            if not cell.find(class_=["cell_input", "cell_output"]):
                cell.decompose()
        for fold in body.find_all("details"):
            fold["open"] = ""

    def rename(self, document, body):
        """Every id gets its page before it, as do the attributes that name one."""
        for element in body.find_all(id=True):
            element["id"] = anchor(document, element["id"])
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "headers"):
            for element in body.find_all(attrs={name: True}):
                value = element[name] if isinstance(element[name], list) else element[name].split()
                element[name] = " ".join(anchor(document, part) for part in value)

    def lead(self, document, body):
        """Images are files of the site; links to pages of the book lead within it. A link to something else of the
        site goes to its address on the web, and where none is known only its words stay."""
        for image in body.find_all("img"):
            image.attrs.pop("loading", None)  # paper is not scrolled
            if not urlsplit(image["src"]).scheme:
                image["src"] = self.file_of(document, image["src"])
        for link in body.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            path = self.path_of(document, link["href"])
            name = path.removesuffix(".html")
            if name in self.documents:
                link["href"] = "#" + anchor(name, unquote(parts.fragment))
            elif self.address:
                link["href"] = urljoin(self.address, path) + (f"#{parts.fragment}" if parts.fragment else "")
            else:
                link.unwrap()

    def take_solutions(self, page):
        """Solutions leave the chapter; a line says on which page they stand."""
        for fold in page.body.select("details.fold-solution"):
            exercise = fold.find_parent("section")
            title = words(exercise.find(re.compile("^h[1-6]$")))
            here = f"{SOLUTIONS}.{exercise['id']}"
            inside = fold.find(class_="fold-body").decode_contents()
            page.solutions.append((title, exercise["id"], here, inside))
            line = f'<p class="to-solution"><a href="#{here}">Solution on page {number(here)}</a></p>'
            fold.replace_with(BeautifulSoup(line, "html.parser"))


# ---------------------------------------------------------------- the one page


def number(place):
    """Where the number of a page will be. Three digits take as much room as the number that replaces them."""
    return f'<span class="page-of" data-of="{html.escape(place)}">000</span>'


def link(place, text):
    return f'<a href="#{html.escape(place)}"><span>{html.escape(text)}</span>{number(place)}</a>'


def cover(book):
    cited = book.cited
    day = cited["date-released"]
    day = f"{day.day} {day:%B %Y}" if hasattr(day, "strftime") else str(day)
    sketch = book.pages[book.documents[0]].body.find("img", src=re.compile(SKETCH))
    picture = f'<img src="{sketch["src"]}" alt="{html.escape(sketch["alt"])}">' if sketch else ""
    address = f'<p><a href="{book.address}">{book.address}</a></p>' if book.address else ""
    return f"""<section class="paper-cover">
<h1>{html.escape(cited["title"])}</h1>
<p class="subtitle">{html.escape(SUBTITLE)}</p>
<div class="sketch">{picture}</div>
<div class="imprint"><p>Version {html.escape(str(cited["version"]))}, {html.escape(day)}</p>
{address}<p>{LICENCE}</p></div>
</section>"""


def contents(book):
    """Every page and the sections of the chapters, each with the number of its page."""
    rows = []
    for caption, documents in book.parts:
        rows.append(f"<h2>{link(part_anchor(caption), caption)}</h2>" if caption else "")
        for page in map(book.pages.get, documents):
            sections = "".join(f"<li>{link(place, title)}</li>" for title, place in page.sections if caption)
            rows.append(f'<div class="entry"><p>{link(page.anchor, page.title)}</p><ul>{sections}</ul></div>')
    solved = solved_pages(book)
    if solved:
        chapters = "".join(f"<li>{link(solutions_of(page), running_title(page.title))}</li>" for page in solved)
        rows.append(f'<h2>{link(SOLUTIONS, "Solutions")}</h2><div class="entry"><ul>{chapters}</ul></div>')
    heading = '<h1><a href="#contents">Contents</a></h1>'  # an outline needs a link to each place it names
    return f'<nav class="paper-contents" id="contents">{heading}<div>{"".join(rows)}</div></nav>'


def divider(caption, pages):
    """The page before a part: its number, its name and the chapters in it."""
    which, dot, name = caption.partition(". ")
    heading = f"<span>{html.escape(which)}</span> {html.escape(name)}" if dot else html.escape(caption)
    rows = "".join(f"<li>{link(page.anchor, page.title)}</li>" for page in pages)
    return f'<section class="paper-part" id="{part_anchor(caption)}"><h1>{heading}</h1><ul>{rows}</ul></section>'


def part_anchor(caption):
    return anchor("part", caption.lower())


def solved_pages(book):
    return [page for page in book.pages.values() if page.solutions]


def solutions_of(page):
    return f"{SOLUTIONS}.of.{page.anchor}"


def solutions(book):
    found = []
    for page in solved_pages(book):
        found.append(f'<h2 id="{solutions_of(page)}">{html.escape(running_title(page.title))}</h2>')
        for title, exercise, here, inside in page.solutions:
            found.append(
                f'<section class="solution"><h3 id="{here}">{html.escape(title)} '
                f'<a class="to-exercise" href="#{exercise}">on page {number(exercise)}</a></h3>{inside}</section>'
            )
    if not found:
        return ""
    return leaf(SOLUTIONS, f"<h1>Solutions</h1>{''.join(found)}")


def heads(book):
    """The running head of each page of the site, and of the solutions."""
    names = {page.anchor: running_title(page.title) for page in book.pages.values()} | {SOLUTIONS: "Solutions"}
    rules = [f"@page leaf-{place} {{ @top-left {{ content: {css_string(name)}; }} }}" for place, name in names.items()]
    return "\n".join(rules)


def leaf(place, body):
    """A page of the site as pages of the book that have a running head of their own."""
    return f'<article class="bd-article" id="{place}" style="page: leaf-{place}">{body}</article>'


def combine(book):
    """The html of the whole book. Raises PdfError for a link within it that leads nowhere."""
    leaves = []
    for caption, documents in book.parts:
        pages = [book.pages[name] for name in documents]
        if caption:
            leaves.append(f'<article class="bd-article">{divider(caption, pages)}</article>')
        for page in pages:
            leaves.append(leaf(page.anchor, page.body.decode_contents()))
    sheets = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in book.sheets)
    own = (Path(__file__).parent / "pdf.css").read_text(encoding="utf-8")
    author = ", ".join(person["name"] for person in book.cited["authors"])
    text = f"""<!doctype html>
<html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{html.escape(book.cited["title"])}</title>
<meta name="author" content="{html.escape(author)}">{sheets}<style>{own}
{heads(book)}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<article class="bd-article">{cover(book)}{contents(book)}</article>
{"".join(leaves)}{solutions(book)}
</div></div></main></body></html>"""
    ids = [html.unescape(place) for place in re.findall(r'<[^>]*\sid="([^"]+)"', text)]
    places = set(ids)
    if len(places) < len(ids):
        twice = sorted({place for place in ids if ids.count(place) > 1})
        raise PdfError("several places of the book have the same name: " + ", ".join(twice))
    lost = sorted({place for place in re.findall(r'href="#([^"]+)"', text) if html.unescape(place) not in places})
    if lost:
        raise PdfError("links within the book that lead nowhere: " + ", ".join(lost))
    return text


# ---------------------------------------------------------------- printing


def places(reader):
    """{anchor: (page, the first is 1, and height on it)} of all that links within a PDF lead to."""
    found = {}
    for name, destination in reader.named_destinations.items():
        page = reader.get_destination_page_number(destination)
        found[unquote(name.lstrip("/"))] = (page + 1, float(destination.top))
    return found


FILL = """(pages) => {
  for (const number of document.querySelectorAll('.page-of')) number.textContent = pages[number.dataset.of];
}"""


def print_book(book):
    """Print until the numbers in the contents are those of the pages: twice, as they take up the same room. Returns
    the file and {anchor: (page, height)}."""
    known = {}
    with tempfile.TemporaryDirectory() as folder, Chromium() as chromium:
        page = Path(folder) / "book.html"
        page.write_text(combine(book), encoding="utf-8")
        chromium.open(page)
        for turn in range(3):
            pdf = chromium.print(tagged=turn > 0)
            found = places(PdfReader(io.BytesIO(pdf)))
            pages = {name: number for name, (number, _) in found.items()}
            if pages == known:
                return pdf, found
            chromium.run(f"({FILL})({json.dumps(pages)})")
            known = pages
    raise PdfError("the pages did not settle: each printing has other numbers than the one before")


def bookmarks(book):
    """The outline: (depth, title, anchor)."""
    yield 0, "Contents", "contents"
    for caption, documents in book.parts:
        if caption:
            yield 0, caption, part_anchor(caption)
        for page in map(book.pages.get, documents):
            yield (1 if caption else 0), page.title, page.anchor
            yield from ((2, title, place) for title, place in page.sections if caption)
    solved = solved_pages(book)
    if solved:
        yield 0, "Solutions", SOLUTIONS
        yield from ((1, running_title(page.title), solutions_of(page)) for page in solved)


def finish(pdf, found, book, target):
    """Add the outline and the metadata to what was printed."""
    writer = PdfWriter(io.BytesIO(pdf), incremental=True)
    above = []
    for depth, title, place in bookmarks(book):
        page, top = found[place]
        parent = above[depth - 1] if depth else None
        item = writer.add_outline_item(
            title=title, page_number=page - 1, parent=parent, fit=Fit.xyz(top=top), is_open=depth == 0
        )
        above[depth:] = [item]
    writer.page_mode = NameObject("/UseOutlines")
    writer.add_metadata(
        {
            "/Title": book.cited["title"],
            "/Author": ", ".join(person["name"] for person in book.cited["authors"]),
            "/Subject": " ".join(book.cited["abstract"].split()),
            "/Keywords": ", ".join(book.cited["keywords"]),
        }
    )
    beside = target.with_name(target.name + ".new")
    with beside.open("wb") as file:
        writer.write(file)
    os.replace(beside, target)
    return len(writer.pages)


def make(site, targets, root=ROOT):
    """Print the book into each of `targets` and say what came of it."""
    book = Book(site, root)
    pdf, found = print_book(book)
    pages = finish(pdf, found, book, targets[0])
    for other in targets[1:]:
        shutil.copyfile(targets[0], other)
    return f"{pages} pages, {targets[0].stat().st_size / 1e6:.1f} MB"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html", help="the folder of the built site")
    parser.add_argument("--check", action="store_true", help="only see that there is a browser to print with")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            find()
            return 0
        said = make(options.site, [options.site.parent / FILE, options.site / FILE])
    except (PdfError, ChromiumError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book on paper: {(options.site.parent / FILE).resolve().as_uri()} ({said})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
