"""The picture of a shared link: a card with the page's title, its sentence and, for a chapter, a measured figure."""

import base64
import io
import json
import textwrap
from pathlib import Path

SIZE = (1200, 630)
PAPER, INK, SOFT, ACCENT = "#fbfaf7", "#1b1b1b", "#5b5b5b", "#d55e00"
BOOK = "An Explanation Is All We Need"


def font(size, bold=False):
    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf"), size)


def first_figure(path):
    """The first figure of a notebook that depends on a training, else its first; None without any."""
    found = {}
    for cell in json.loads(Path(path).read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png:
                kind = "trained" in cell["metadata"].get("tags", [])
                found.setdefault(kind, base64.b64decode("".join(png)))
    return found.get(True) or found.get(False)


def write(draw, text, at, size, width, ink=INK, bold=False, spacing=1.25):
    """Write wrapped lines and return where the next would begin. `width` is in characters."""
    x, y = at
    for line in textwrap.wrap(text, width):
        draw.text((x, y), line, font=font(size, bold), fill=ink)
        y += round(size * spacing)
    return y


def card(title, sentence, number=None, figure=None):
    """The bytes of a PNG. `figure` holds those of another, which is put into the right half."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0], 14), fill=ACCENT)
    wide = 24 if figure else 44
    draw.text((64, 64), BOOK, font=font(28), fill=SOFT)
    y = 150
    if number is not None:
        draw.text((64, y), f"Chapter {number}", font=font(30), fill=ACCENT)
        y += 56
    y = write(draw, title, (64, y), 50, wide - 3 if figure else 36, bold=True) + 24
    write(draw, sentence, (64, y), 27, wide + 6 if figure else 64, ink=SOFT, spacing=1.4)
    if figure:
        with Image.open(io.BytesIO(figure)) as drawn:
            drawn = drawn.convert("RGB")
            drawn.thumbnail((560, 500), Image.LANCZOS)
            left, top = 1160 - drawn.width, 40 + (SIZE[1] - drawn.height) // 2
            draw.rectangle((left - 16, top - 16, left + drawn.width + 16, top + drawn.height + 16), fill="white")
            image.paste(drawn, (left, top))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
