"""The front door: what a chapter asks of a reader, and what search engines, shared links and lost visitors see.

`start-here` and `chapter-table` are for the landing page, `citation-bibtex` is for the page on citation. Each chapter
has a line under its title with the minutes it takes. book/descriptions.yml holds a sentence for every page; a page
without one stops the build. Where the site's address is known, links get a picture (front_card.py).
"""

import functools
import html
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from docutils import nodes
from front_card import SIZE, card, first_figure
from front_reading import ROOT, fast_path, parts, read_chapter, rounded, running_time
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from written import Written

NOT_PAGES = {"search", "genindex", "404"}  # made by the builder, with no source
CARDS = "cards"


@functools.cache
def descriptions(root=ROOT):
    return yaml.safe_load((root / "book" / "descriptions.yml").read_text(encoding="utf-8"))


def description_complaints(found, pages):
    """What is wrong with {page: sentence} for the pages of the book: a list of sentences."""
    wrong = [f"there is none for the page {page}" for page in sorted(pages - set(found))]
    for page, sentence in found.items():
        if page not in pages:
            wrong.append(f"it describes {page}, and there is no such page")
        if not 60 <= len(sentence) <= 170 or not sentence.endswith("."):
            wrong.append(f"that of {page} has {len(sentence)} letters; write 60 to 170 and end with a full stop")
    return wrong


def check_descriptions(app, env):
    """Every page has its sentence, and every sentence its page."""
    wrong = description_complaints(descriptions(), set(env.found_docs))
    if wrong:
        raise ExtensionError("book/descriptions.yml: " + "; ".join(wrong))
    return []


# ---------------------------------------------------------------- the landing page


class Front(Written):
    def chapters(self):
        for path in [ROOT / "_toc.yml", ROOT / "book" / "measured.json", *(ROOT / "notebooks").glob("*.ipynb")]:
            self.env.note_dependency(str(path))
        return parts()


class StartHere(Front):
    """Two ways in: the first chapter, and the fast path with its hours."""

    def run(self):
        chapters = [c for _, those in self.chapters() for c in those]
        on_it, minutes = fast_path(chapters)
        whole = sum(c.minutes for c in chapters)
        first = next(c for c in chapters if c.number)  # what is before the book is numbered 0
        box = nodes.container(classes=["start-here"])
        box += self.parse(
            [
                f"{{doc}}`Start with chapter {first.number}, {first.name} </{first.document}>`",
                "",
                f"All {len(chapters)} chapters take about {round(whole / 60)} hours to read. The fast path through "
                f"{len(on_it)} of them, marked below, takes about {round(minutes / 60)}.",
            ]
        )
        return [box]


class ChapterTable(Front):
    """Every chapter with its question, its minutes and its place on the fast path, part by part."""

    def run(self):
        found = []
        for caption, chapters in self.chapters():
            rows = ["| chapter | minutes | fast path |", "| --- | ---: | --- |"]
            for c in chapters:
                way = {None: "", "": "● whole"}.get(c.fast, f"● {c.fast}")
                link = f"{{doc}}`{c.number}. {c.name} </{c.document}>`"
                rows.append(f"| {link} {c.question} | {rounded(c.minutes)} | {way} |")
            box = nodes.container(classes=["chapter-table"])
            box += [nodes.rubric(caption, caption), *self.parse(rows)]
            found.append(box)
        return found


class CitationBibtex(SphinxDirective):
    """CITATION.cff as BibTeX."""

    def run(self):
        self.env.note_dependency(str(ROOT / "CITATION.cff"))
        cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        address = self.config.html_baseurl
        rows = {
            "title": cited["title"],
            "author": " and ".join("{" + author["name"] + "}" for author in cited["authors"]),
            "year": str(cited["date-released"])[:4],
            "version": str(cited["version"]),
            **({"url": address} if address else {}),
        }
        body = ",\n".join(f"  {key} = {{{value}}}" for key, value in rows.items())
        text = f"@book{{explanation{rows['year']},\n{body}\n}}"
        block = nodes.literal_block(text, text, language="bibtex")
        return [block]


# ---------------------------------------------------------------- the head of a chapter


def chapter_line(app, doctree):
    """Under the title, how long a chapter takes to read and to run."""
    document = app.env.docname
    if not document.startswith("notebooks/"):
        return
    chapter = read_chapter(ROOT / f"{document}.ipynb")
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        raise ExtensionError(f"{document} has no title")
    said = f"{rounded(chapter.minutes)} minutes to read. Its code runs in {running_time(document)} on one core."
    line = nodes.paragraph(said, said, classes=["chapter-line"])
    title.parent.insert(title.parent.index(title) + 1, line)


# ---------------------------------------------------------------- what is said about a page


def add_tags(context, *tags, first=False):
    before, new = context.get("metatags", ""), "\n".join(tags)
    context["metatags"] = f"{new}\n{before}" if first else f"{before}\n{new}"


def head(app, pagename, templatename, context, doctree):
    """Description, picture and address of a page, before sphinxext.opengraph writes its tags (priority 500)."""
    if pagename in NOT_PAGES:
        add_tags(context, '<meta name="robots" content="noindex" />')
        return
    sentence, base = descriptions()[pagename], app.config.html_baseurl
    meta = {**(context.get("meta") or {}), "og:description": sentence}
    if base:
        meta["og:image"] = f"{base}_static/{CARDS}/{card_name(pagename)}"
        meta["og:image:alt"] = f"{app.env.titles[pagename].astext()}. {sentence}"
        meta["og:image:width"], meta["og:image:height"] = map(str, SIZE)
        if pagename == "index":
            context["pageurl"] = meta["og:url"] = base
        add_tags(context, '<meta name="twitter:card" content="summary_large_image" />')
    context["meta"] = meta
    add_tags(context, f'<meta name="description" content="{html.escape(sentence)}" />')


HEADING = re.compile(r'(<a class="headerlink" href="#([^"]+)"[^>]*>[^<]*</a>)(</h2>)')


def ask_links(app, pagename, templatename, context, doctree):
    """Beside each section's heading a link that opens an issue with the section's address."""
    repository, base = app.config.html_theme_options.get("repository_url"), app.config.html_baseurl
    if not repository or not base or pagename in NOT_PAGES or "body" not in context:
        return
    page = re.sub(r"<[^>]+>", "", context["title"])

    def link(match):
        address = f"{base}{app.builder.get_target_uri(pagename)}#{match[2]}"
        query = f"title={quote(f'{page}: ')}&body={quote(f'About {address}')}%0A%0A"
        return (
            f'{match[1]}<a class="ask-link" href="{repository}/issues/new?{html.escape(query)}" '
            f'title="Ask about this section" aria-label="Ask about this section">?</a>{match[3]}'
        )

    context["body"] = HEADING.sub(link, context["body"])


def not_found(app):
    """404.html, which a host shows in place of any page: its links are those of the site's root."""
    body = (
        "<section><h1>There is no such page</h1><p>The address is wrong, or a chapter was renamed. "
        '<a href="index.html">The contents</a> list every chapter, and <a href="search.html">the search</a> looks '
        "into all of them.</p></section>"
    )
    yield "404", {"title": "There is no such page", "body": body}, "page.html"


def base_of_404(app, pagename, templatename, context, doctree):
    """A host shows the page at any depth, so its links start from the site's root, where that is known."""
    if pagename == "404":
        context["pagetitle"] = context["title"]
        if app.config.html_baseurl:
            path = urlsplit(app.config.html_baseurl).path or "/"
            add_tags(context, f'<base href="{path}" />', first=True)


def card_name(page):
    return f"{page.replace('/', '-')}.png"


def draw_cards(app, exception):
    """A picture for each page. They are asked for by their full address, so without one there are none."""
    if exception is not None or app.builder.format != "html" or not app.config.html_baseurl:
        return
    folder = Path(app.outdir) / "_static" / CARDS
    folder.mkdir(parents=True, exist_ok=True)
    chapters = {c.document: c for _, those in parts() for c in those}
    for page, sentence in descriptions().items():
        chapter = chapters.get(page)
        if chapter:
            figure = first_figure(ROOT / f"{page}.ipynb")
            picture = card(chapter.name, chapter.question, chapter.number, figure)
        else:
            title = app.env.titles[page].astext()
            picture = card(title, sentence)
        (folder / card_name(page)).write_bytes(picture)


def progress(app, pagename, templatename, context, doctree):
    """The script that marks chapters as read, on pages of the book only."""
    if pagename not in NOT_PAGES:
        app.add_js_file("progress.js", loading_method="defer")


def setup(app):
    app.add_directive("start-here", StartHere)
    app.add_directive("chapter-table", ChapterTable)
    app.add_directive("citation-bibtex", CitationBibtex)
    app.connect("env-updated", check_descriptions)
    app.connect("doctree-read", chapter_line)
    app.connect("html-collect-pages", not_found)
    app.connect("html-page-context", head, priority=400)
    app.connect("html-page-context", base_of_404, priority=401)
    app.connect("html-page-context", ask_links)
    app.connect("html-page-context", progress)
    app.connect("build-finished", draw_cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
