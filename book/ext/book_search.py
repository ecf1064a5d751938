"""The book's own search: an index of sections, made when the site is built, and the page that asks it.

search_sections.py reads the sections from each page's doctree; they are kept in Sphinx's environment, so that a page
that did not change need not be read again. The index is a script, `_static/search_index.js`, which works from a folder
as it does from a server. It and search.js are loaded when a reader searches, by search_load.js, the only part that
stands on every page. Sphinx's own index and scripts are not written.

ALIASES says what readers type, what the book calls it, and the number of the chapter that teaches it.
"""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

from search_sections import Reader
from sphinx.errors import ExtensionError
from sphinx.util.osutil import relative_uri

ALIASES = (
    (["warmup", "warm up"], ["warm-up"], 12),
    (["sqrt d", "root d", "why divide", "why scale", "scaled dot product", "dot product attention"],
     ["square root", "sqrt(d)", "the root"], 9),
    (["positional encoding", "positional embedding", "position encoding", "position embedding"],
     ["positions", "sinusoids"], 11),
    (["RoPE", "rotary"], ["rotation", "rotary"], 11),
    (["backprop", "backpropagation"], ["backpropagation", "backward pass"], 2),
    (["BPTT"], ["backpropagation through time"], 2),
    (["seq2seq", "sequence to sequence"], ["encoder-decoder"], 7),
    (["exploding gradient", "gradient explosion", "blow up"], ["exploding gradient", "explode"], 3),
    (["vanishing gradient", "gradient vanishing"], ["vanishing gradient", "vanish"], 3),
    (["gradient clipping", "clipping"], ["clipping", "clip by norm"], 3),
    (["mask", "masking", "causal mask", "attention mask", "look-ahead mask"], ["causal mask", "mask"], 10),
    (["KV cache", "key value cache", "caching"], ["KV cache", "cache"], 14),
    (["beam", "beam search"], ["beam search", "beam"], 7),
    (["g2p", "grapheme to phoneme", "pronunciation"], ["phonemes"], 1),
    (["perplexity", "ppl"], ["perplexity", "surprisal", "bits per letter"], 1),
    (["MHA", "multi head", "multihead"], ["multi-head attention", "heads"], 10),
    (["GQA", "MQA", "grouped query", "multi query"], ["grouped-query attention", "grouped queries"], 14),
    (["layernorm", "layer norm", "layer normalisation", "layer normalization"], ["LayerNorm", "layer norm"], 12),
    (["skip connection", "residual", "resnet"], ["residual"], 12),
    (["BPE", "byte pair", "byte pair encoding", "tokenizer", "tokeniser"], ["subwords", "merges", "tokens"], 13),
    (["Bahdanau", "additive attention"], ["additive attention", "additive score"], 8),
    (["alignment"], ["alignment", "align"], 8),
    (["exposure bias"], ["teacher forcing"], 7),
    (["MLP", "FFN", "feed forward"], ["feed-forward"], 12),
    (["greedy decoding"], ["greedily"], 7),
    (["top p", "nucleus", "top k", "temperature"], ["sampling", "top-p", "temperature"], 14),
)  # fmt: skip

INDEX = "search_index.js"
UNUSED = ("_static/searchtools.js", "_static/language_data.js", "_static/sphinx_highlight.js", "searchindex.js")
CHAPTER = re.compile(r"notebooks/(\d+)_")


def chapter_of(docname):
    """A chapter's number, or None for a page that is no chapter."""
    match = CHAPTER.match(docname)
    return int(match[1]) if match else None


# ---------------------------------------------------------------- the index


def read_sections(app, doctree):
    if not hasattr(app.env, "book_sections"):
        app.env.book_sections = {}
    try:
        app.env.book_sections[app.env.docname] = Reader(doctree).sections
    except ExtensionError as error:
        raise ExtensionError(f"{app.env.docname}: {error.message}") from error


def purge(app, env, docname):
    getattr(env, "book_sections", {}).pop(docname, None)


def merge(app, env, docnames, other):
    if not hasattr(env, "book_sections"):
        env.book_sections = {}
    env.book_sections.update({name: other.book_sections[name] for name in docnames if name in other.book_sections})


def label(docname, title):
    """A page's title as it heads a path: without what follows its colon, with a chapter's number."""
    chapter = chapter_of(docname)
    return title.partition(":")[0] if chapter is None else f"Chapter {chapter}. {title.partition(':')[0]}"


def check_aliases(chapters):
    seen = {}
    for forms, says, chapter in ALIASES:
        if chapter not in chapters:
            raise ExtensionError(f"book_search: an alias, {forms[0]!r}, leads to chapter {chapter}, which is not there")
        if not says:
            raise ExtensionError(f"book_search: the alias {forms[0]!r} does not say what the book calls it")
        for form in forms:
            if seen.setdefault(form.lower(), chapter) != chapter:
                raise ExtensionError(
                    f"book_search: the alias {form!r} leads to chapter {seen[form.lower()]} and to {chapter}"
                )


def make_index(env, address):
    """What search_index.js holds. `address` maps a page's name to where it is."""
    order = sorted(env.book_sections, key=lambda name: (chapter_of(name) is None, name))
    chapters = {chapter_of(name): i for i, name in enumerate(order) if chapter_of(name) is not None}
    check_aliases(chapters)
    pages, sections = [], []

    def titled(text):
        """With the titles of pages in place of links that show them."""
        return re.sub("\x02(.*?)\x02", lambda link: env.titles[link[1]].astext().partition(":")[0], text)

    for name in order:
        found = env.book_sections[name]
        if not found:
            continue
        title = label(name, found[0].title)
        for section in found:
            path = [title, *section.path[1:]] if section.path else []
            sections.append(
                [
                    len(pages),
                    section.anchor,
                    section.title,
                    " › ".join(path),
                    section.kind,
                    titled("\n".join(section.text)),
                    " ".join(dict.fromkeys(titled(" ".join(section.other)).split())),
                    "\n".join(section.terms),
                    " ".join(section.names),
                    " ".join(section.code),
                ]
            )
        pages.append([address(name), title, chapter_of(name)])
    return {"pages": pages, "sections": sections, "aliases": [list(alias) for alias in ALIASES]}


def index_script(app):
    """The index as a script, made once in a build, when every page has been read.

    It is compressed, to less than half, so that it is small from a folder too, and from servers that do not compress.
    """
    if getattr(app, "book_search_script", None) is None:
        index = make_index(app.env, app.builder.get_target_uri)
        text = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode()
        packed = base64.b64encode(gzip.compress(text, mtime=0)).decode()
        app.book_search_script = f'window.bookSearchIndex="{packed}";\n'.encode()
    return app.book_search_script


def digest(content):
    return hashlib.sha256(content).hexdigest()[:8]


# ---------------------------------------------------------------- the site


def without_sphinx_search(app):
    app.builder.search = False  # no searchindex.js, and no page from the theme: the book's is search_page.html


def add_loader(app, pagename, templatename, context, doctree):
    """One small script on every page; it knows the version of what it may load, so that no browser keeps an old one."""
    if app.builder.format != "html":
        return
    script = Path(__file__).parents[1] / "assets" / "search.js"
    app.add_js_file(
        "search_load.js",
        loading_method="defer",
        **{"data-search": digest(script.read_bytes()), "data-index": digest(index_script(app))},
    )
    context["script_files"][:] = [
        asset for asset in context["script_files"] if getattr(asset, "filename", "") not in UNUSED
    ]


def other_names(app):
    """ALIASES as the search page shows them: what is typed, what is looked for as well, and in which chapter."""
    where = {chapter_of(name): name for name in app.env.found_docs}
    shown = []
    for forms, says, chapter in sorted(ALIASES, key=lambda alias: alias[0][0].lower()):
        others = [form for form in forms if form.lower() != says[0].lower()]
        if others:
            address = relative_uri("search.html", app.builder.get_target_uri(where[chapter]))
            shown.append({"forms": others, "says": says[0], "href": address, "chapter": chapter})
    return shown


def search_page(app):
    if app.builder.format != "html":
        return
    yield "search", {"title": "Search", "other_names": other_names(app)}, "search_page.html"


def write_index(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    (Path(app.outdir) / "_static" / INDEX).write_bytes(index_script(app))
    for name in UNUSED:  # Sphinx's own search; its index may be left from an earlier build
        (Path(app.outdir) / name).unlink(missing_ok=True)


def setup(app):
    app.connect("builder-inited", without_sphinx_search)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("doctree-read", read_sections, priority=900)  # after all that changes a page
    app.connect("html-page-context", add_loader, priority=800)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
