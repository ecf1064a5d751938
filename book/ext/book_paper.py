"""The book on paper: what a printed page says that the page on a screen does not.

- At its head stand the chapter's number and name, at its foot the page's number, where the browser prints them.
- Under the heading of the exercises it says where the solutions are, which are not printed.
- `printed-book` is the sentence that leads to the PDF of the whole book. It is there only where the environment has
  BOOK_PDF=1, as `make pdf` sets it, which then puts the file into the site (tools/pdf.py).
"""

import html
import os
import re

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FILE = "An-Explanation-Is-All-We-Need.pdf"
SENTENCE = "For paper there is {the whole book in one file}, with page numbers and the solutions at its end."
SOLUTION = 'class="fold fold-solution"'
EXERCISES = re.compile(r'<section id="exercises">\s*<h2>.*?</h2>', re.S)


def css_string(text):
    """Text as a string of a style sheet that stands in html."""
    return '"' + re.sub(r'["\\<>&\n]', lambda m: f"\\{ord(m[0]):x} ", text) + '"'


def running_title(title):
    """The number and the name of a page, from its title as html or plain; a question after a colon is left out."""
    return html.unescape(re.sub(r"<[^>]+>", "", title)).partition(": ")[0].strip()


def page_head(app, pagename, templatename, context, doctree):
    """The head of each printed page, and the script that prints a dark page as a light one."""
    app.add_js_file("paper.js", loading_method="defer")
    if doctree is None or "title" not in context:
        return
    style = f"@media print {{ @page {{ @top-left {{ content: {css_string(running_title(context['title']))}; }} }} }}"
    context["metatags"] = context.get("metatags", "") + f"\n<style>{style}</style>"


def where_solutions_are(app, pagename, templatename, context, doctree):
    """Say it on paper, on pages that have any."""
    body = context.get("body") or ""
    if SOLUTION not in body:
        return
    place = f"on the site, at {app.config.html_baseurl}" if app.config.html_baseurl else "on the site"
    said = f'\n<p class="paper-only">Solutions are {html.escape(place)}.</p>'
    context["body"], found = EXERCISES.subn(lambda match: match[0] + said, body, count=1)
    if not found:
        raise ExtensionError(f"{pagename}: there are solutions, and no section `## Exercises` that holds them")


class PrintedBook(SphinxDirective):
    """A sentence with a link to the PDF, or nothing."""

    def run(self):
        self.env.note_reread()  # the environment decides, and no file that could have changed
        wanted = os.environ.get("BOOK_PDF", "")
        if wanted not in ("", "0", "1"):
            raise ExtensionError(f"BOOK_PDF is {wanted!r}; expected 1, 0 or nothing")
        if wanted != "1":
            return []
        if self.env.docname != "index":
            raise ExtensionError(f"{self.env.docname}: `printed-book` stands on the page index, beside the file")
        before, link, after = re.split(r"[{}]", SENTENCE)
        paragraph = nodes.paragraph(classes=["printed-book"])
        paragraph += [nodes.Text(before), nodes.reference(link, link, refuri=FILE), nodes.Text(after)]
        return [paragraph]


def setup(app):
    app.add_directive("printed-book", PrintedBook)
    app.connect("html-page-context", page_head)
    app.connect("html-page-context", where_solutions_are)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
