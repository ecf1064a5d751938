"""How large a figure's words are on a phone, and a chapter's figures as PNG files in seconds:

    python -m tests.support.drawn 07 FOLDER [CELL ...]

runs the chapter as tests.support.smoke does, so the curves are those of networks that have hardly learned; what can be
judged is the layout. Each figure is also written as wide as a phone shows it.
"""

import sys
from pathlib import Path

from tests.support import smoke
from tools import notebooks as nb

PHONE = 370  # pixels: a figure in a window of 390, where it reaches six into each margin (figures.css)
LEGIBLE = 9  # pixels
DPI = 100  # at which the notebooks draw; an image is shown at its own size where there is room


def scale(figure):
    """By what an image of the figure is shrunk on a phone. It is cut out tightly around what is drawn."""
    figure.draw_without_rendering()
    return min(1, PHONE / (DPI * (figure.get_tightbbox().width + 0.2)))


def small_words(figure):
    """The words that are set too small for a phone, with their size there in pixels."""
    from matplotlib.text import Text

    shrunk, found = scale(figure), {}
    for text in figure.findobj(Text):
        said = text.get_text().strip()
        size = text.get_fontsize() / 72 * DPI * shrunk
        if said and text.get_visible() and text.get_alpha() != 0 and size < LEGIBLE - 0.05:
            found.setdefault(round(size, 1), []).append(said)
    return [f"{size} px on a phone: {', '.join(map(repr, said[:4]))}" for size, said in sorted(found.items())]


def write(figure, path):
    from PIL import Image

    figure.savefig(path, dpi=DPI, bbox_inches="tight", facecolor="white")
    with Image.open(path) as image:
        if image.width > PHONE:
            small = image.convert("RGB").resize((PHONE, round(image.height * PHONE / image.width)), Image.LANCZOS)
            small.save(path.with_name(f"{path.stem}-phone.png"))


def main(name, folder, *cells):
    folder, wanted = Path(folder), set(map(int, cells))
    folder.mkdir(parents=True, exist_ok=True)

    def after(number, cell, namespace):
        import matplotlib.pyplot as plt

        for k in plt.get_fignums():
            if not wanted or number in wanted:
                path = folder / f"{name}-{number:03d}.png"
                write(plt.figure(k), path)
                print(path, *small_words(plt.figure(k)), sep="\n    ")

    failed = smoke.run(nb.find_notebook(name), after=after)
    print(f"{len(failed)} cells failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
