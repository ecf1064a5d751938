"""Icons as masks in a style sheet, in place of the theme's script of 1.5 MB and its fonts.

The theme draws Font Awesome's icons with a script that holds all two thousand of them, and a few more, such as those of
admonitions, with fonts. Once the pages are written, icons.css is made of the icons that occur in them, with the paths
that stand in the theme's own script. A mask takes the colour of the text, and its element holds no text that would end
up in the name of a button. The script, the fonts and what the theme's style sheet says of them leave the site.
"""

import re
import shutil
from pathlib import Path
from urllib.parse import quote

from sphinx.errors import ExtensionError

SHEET = "icons.css"
STYLES = {"fas": "fas", "fa-solid": "fas", "far": "far", "fa-regular": "far", "fab": "fab", "fa-brands": "fab"}
SIZES = {"fa-lg"}
ANY = ":is(" + ", ".join(f".{name}" for name in STYLES) + ")"
CLASSES = re.compile(r"""["']([^"'<>]*\b(?:fa[srb]|fa-solid|fa-regular|fa-brands) [^"'<>]*)["']""")

# Icons that the theme's style sheet puts beside a text, which has no element for them.
BESIDE = (
    (".bd-article .admonition[class] > .admonition-title.admonition-title::after", "bell"),
    (".bd-article .admonition:is(.note, .seealso) > .admonition-title.admonition-title::after", "info-circle"),
    (".bd-article .admonition:is(.attention, .important) > .admonition-title.admonition-title::after",
     "exclamation-circle"),
    (".bd-article .admonition:is(.caution, .warning, .danger) > .admonition-title.admonition-title::after",
     "exclamation-triangle"),
    (".bd-article .admonition.error > .admonition-title.admonition-title::after", "times-circle"),
    (".bd-article .admonition:is(.hint, .tip) > .admonition-title.admonition-title::after", "lightbulb"),
    (".bd-article a.reference.download::before", "download"),
    ("nav.bd-links li > a.reference.external::after", "external-link-alt"),
    ("div.bd-sidebar-secondary.hide:not(:hover) .onthispage::after", "angle-down"),
)  # fmt: skip

HEAD = f"""/* The paths are those of Font Awesome Free 6, fontawesome.com, licence CC BY 4.0. */
{ANY} {{ display: inline-block; font-style: normal; line-height: 1; }}
.fa-lg{ANY} {{ font-size: 1.25em; line-height: .05em; vertical-align: -.075em; }}
MASKED {{
  content: "";
  display: inline-block;
  height: 1em;
  vertical-align: -.125em;
  background: currentColor;
  mask: var(--icon) center / contain no-repeat;
  print-color-adjust: exact;
}}
@media (forced-colors: active) {{
  MASKED {{ forced-color-adjust: none; background: CanvasText; }}
  a {ANY}::before {{ background: LinkText; }}
  button {ANY}::before {{ background: ButtonText; }}
}}
/* What the theme says of the drawings that its script puts in place of an icon's element. */
.bd-header-article .btn {ANY}::before {{ width: 1.3rem; }}
.search-button-field > i{ANY} {{ display: inline-block; }}
#pst-search-dialog form.bd-search i {{ position: static; color: inherit; }}
#pst-search-dialog[open] form.bd-search i {{ font-size: var(--pst-font-size-icon); }}
.onthispage.onthispage i {{ padding: 0; }}
.bd-article .admonition[class] > .admonition-title.admonition-title::after {{ height: 1lh; }}
"""


def find_icons(script):
    """{(style, name): (width, height, path)} of the theme's script, an icon's other names among them."""
    found, table = {}, {}
    icon = r'"?([\w-]+)"?:\[(\d+),(\d+),\[([^\]]*)\],"[0-9a-f]+",(?:"([^"]+)"|\[)'
    for match in re.finditer(rf'{icon}|\("(fa[brs])",\w+\)', script):
        name, width, height, others, path, style = match.groups()
        if style:  # the end of a style's table
            found.update({(style, name): drawing for name, drawing in table.items()})
            table = {}
        elif path:
            for known in (name, *re.findall(r'"([^"]+)"', others)):
                table[known] = (int(width), int(height), path)
    return found


def used_icons(texts):
    """{(style, name)} of the icons that pages and scripts name in the classes of an element."""
    found = set()
    for text in texts:
        for classes in CLASSES.findall(text):
            words = classes.split()
            style = next(STYLES[word] for word in words if word in STYLES)
            names = [word for word in words if word.startswith("fa-") and word not in STYLES and word not in SIZES]
            found |= {(style, name.removeprefix("fa-")) for name in names}
    return found


def mask(icon):
    width, height, path = icon
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><path d="{path}"/></svg>'
    return f'width: {width / height:.4g}em; --icon: url("data:image/svg+xml,{quote(drawing, safe=chr(39) + " =:/")}");'


def sheet(used, icons):
    """The style sheet of some icons. Raises ExtensionError for one that the theme does not have."""
    needed = sorted(used)
    missing = [name for style, name in (*needed, *(("fas", name) for _, name in BESIDE)) if (style, name) not in icons]
    if missing:
        raise ExtensionError(f"the theme's fontawesome.js has no icon {', '.join(missing)}")
    masked = ", ".join((f"{ANY}::before", *(selector for selector, _ in BESIDE)))
    rules = [HEAD.replace("MASKED", masked)]
    for style, name in needed:
        prefixes = ", ".join(f".{prefix}" for prefix, kind in STYLES.items() if kind == style)
        rules.append(f":is({prefixes}).fa-{name}::before {{ {mask(icons[style, name])} }}\n")
    rules += [f"{selector} {{ {mask(icons['fas', name])} }}\n" for selector, name in BESIDE]
    return "".join(rules)


def without_fonts(css):
    """The theme's style sheet without Font Awesome's part of it, a quarter."""
    first = css.find("/*!\n * Font Awesome")
    last = [match.end() for match in re.finditer(r'\.fa-[\w-]+:before\{content:"[^"]*"\}', css)]
    if first < 0 or not last:
        raise ExtensionError("the theme's style sheet has no part of Font Awesome where book_icons.py looks for it")
    return css[:first] + css[last[-1] :]


def theme_script(app):
    for folder in app.builder.theme.get_theme_dirs():
        path = Path(folder) / "static" / "scripts" / "fontawesome.js"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ExtensionError("the theme has no fontawesome.js, of which book_icons.py makes the icons")


def write_icons(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for path in (static / "scripts").glob("fontawesome.js*"):
        path.unlink()
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    theme = static / "styles" / "pydata-sphinx-theme.css"
    css = theme.read_text(encoding="utf-8")
    if "Font Awesome Free" in css:  # a build that had nothing to write leaves it as it was
        theme.write_text(without_fonts(css), encoding="utf-8")
    pages = [path for path in Path(app.outdir).rglob("*.html") if static not in path.parents]
    scripts = [path for path in static.rglob("*.js") if path.name != "bootstrap.js"]
    used = used_icons(path.read_text(encoding="utf-8") for path in (*pages, *scripts))
    (static / SHEET).write_text(sheet(used, find_icons(theme_script(app))), encoding="utf-8")


def setup(app):
    app.add_css_file(SHEET)
    app.connect("build-finished", write_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
