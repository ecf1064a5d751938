"""Link a term to the glossary where a page first sets it in italics.

Notebooks hold plain CommonMark, so that they read the same in Colab and on GitHub. A chapter writes
*hidden state*; on the site the first such emphasis on a page becomes a link to the glossary's entry.
"""

from docutils import nodes
from sphinx.util.nodes import make_refnode


def glossary_terms(env):
    """Map each glossary term, in lower case, to (document, anchor)."""
    return {
        name.lower(): (document, anchor)
        for name, _, kind, document, anchor, _ in env.get_domain("std").get_objects()
        if kind == "term"
    }


def link_terms(app, doctree, docname):
    terms, linked = glossary_terms(app.env), set()
    for emphasis in list(doctree.findall(nodes.emphasis)):
        term = " ".join(emphasis.astext().lower().replace("\u2019", "'").split())
        if term not in terms:
            term = term.removesuffix("s")  # a plural
        if term not in terms or term in linked or isinstance(emphasis.parent, nodes.reference):
            continue
        document, anchor = terms[term]
        if document == docname:
            continue
        linked.add(term)
        link = make_refnode(app.builder, docname, document, anchor, nodes.emphasis("", emphasis.astext()))
        link["classes"].append("term-link")
        emphasis.replace_self(link)


def setup(app):
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
