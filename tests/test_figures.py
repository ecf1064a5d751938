"""Figures: a model has its colour in every chapter, and every word can be read on a phone."""

import ast
import re

import matplotlib
import pytest

from tests.support import drawn, smoke
from tools import notebooks as nb

PATHS = [path for path in nb.notebook_paths() if path.name[:2] != "13"]
# What a label may begin with, and whose look that is. `Self-attention` is a layer and none of the eight models.
NAMES = {
    r"(?:Kneser|n-gram\b)": "n-gram",
    r"RNN\b": "RNN",
    r"LSTM\b": "LSTM",
    r"GRU(?: with (?:additive )?attention|, attention|, this loop)": "attention",  # the last in chapter 12's loop
    r"GRU\b": "GRU",
    r"(?:plain )?encoder-decoder\b": "encoder-decoder",
    r"[Dd]ecoder[- ]only": "decoder-only",
    r"Transformer\b": "Transformer",
}


def model_of(label):
    return next((model for pattern, model in NAMES.items() if re.match(pattern, label)), None)


def colour_of(handle):
    """The colour of what a legend shows, as hexadecimal digits; None where it has several."""
    from matplotlib.colors import to_hex

    if hasattr(handle, "get_color"):
        return to_hex(handle.get_color())
    if hasattr(handle, "lines"):  # a container of error bars, say
        return to_hex(handle.lines[0].get_color()) if handle.lines and handle.lines[0] is not None else None
    if hasattr(handle, "patches"):
        colours = {to_hex(patch.get_facecolor()) for patch in handle.patches}
        return colours.pop() if len(colours) == 1 else None
    if hasattr(handle, "get_facecolor"):
        faces = handle.get_facecolor()
        return to_hex(faces[0] if getattr(faces, "ndim", 1) == 2 and len(faces) else faces)
    return None


def complaints(figures, colours):
    found = []
    for figure in figures:
        for axis in figure.axes:
            for handle, label in zip(*axis.get_legend_handles_labels()):
                model = model_of(label)
                if model is None:
                    continue
                colour = colour_of(handle)
                if colour is not None and colour.lower() != colours[model].lower():
                    found.append(
                        f"{label!r} is drawn in {colour}, and {model} is {colours[model]}: use LOOK[{model!r}]"
                    )
    return found


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def drawings(request):
    """What is wrong with the figures of a chapter, run in seconds: (colours, words too small for a phone)."""
    colours, small = [], []

    def after(number, cell, namespace):
        import matplotlib.pyplot as plt

        if "COLOR" not in namespace:
            return
        for figure in map(plt.figure, plt.get_fignums()):
            colours.extend(f"cell {number}: {text}" for text in complaints([figure], namespace["COLOR"]))
            small.extend(f"cell {number}: {text}" for text in drawn.small_words(figure))

    smoke.run(request.param, report=lambda text: None, after=after)
    return colours, small


def test_a_model_has_its_colour_in_every_figure(drawings):
    assert not drawings[0], "\n".join(drawings[0])


def test_every_word_can_be_read_on_a_phone(drawings):
    assert not drawings[1], "\n".join(drawings[1])


WIDEST, SMALLEST = 6, 11  # inches, points: together 9 pixels on a phone
SIZES = {"fontsize", "labelsize", "titlesize", "title_fontsize"}


def wide_or_small(source):
    """Figures wider and words smaller than the style's, as the code has them."""
    found = []
    for node in ast.walk(nb.parse(source)):
        for key, value in keywords(node):
            if key == "figsize" and isinstance(value, ast.Tuple) and isinstance(value.elts[0], ast.Constant):
                if value.elts[0].value > WIDEST:
                    found.append(f"figsize {ast.unparse(value)} is wider than {WIDEST} inches")
            if key in SIZES and isinstance(value, ast.Constant):
                if isinstance(value.value, str) or value.value < SMALLEST:
                    found.append(f"{key} {value.value} is less than {SMALLEST} points")
            if key == "annot_kws":
                found += wide_or_small(ast.unparse(value).replace("'size'", "'fontsize'"))
    return found


def keywords(node):
    """(name, value) of a call's keywords and of a dictionary's entries."""
    if isinstance(node, ast.Call):
        yield from ((k.arg, k.value) for k in node.keywords)
    if isinstance(node, ast.Dict):
        yield from ((k.value, v) for k, v in zip(node.keys, node.values) if isinstance(k, ast.Constant))


@pytest.mark.parametrize("path", nb.notebook_paths(), ids=lambda path: path.stem)
def test_no_figure_is_wide_and_no_word_small(path):
    """What the code says, for the cells too that a short run does not reach."""
    found = []
    for cell in nb.code_cells(nb.read(path)):
        if "recap" not in nb.tags(cell) and nb.tagged(cell, "study") is None:
            found += [f"{(nb.title(cell) or cell.source[:50])!r}: {text}" for text in wide_or_small(cell.source)]
    assert not found, "\n".join(found)


def test_a_wide_figure_and_a_small_word_are_seen():
    assert len(wide_or_small("plt.subplots(1, 2, figsize=(9, 3))\naxis.legend(fontsize=9)")) == 2
    assert wide_or_small("sns.heatmap(x, annot_kws={'size': 9})") and wide_or_small(
        "axis.text(0, 0, 'a', fontsize='small')"
    )
    assert (
        wide_or_small("plt.subplots(figsize=(6, 3))\naxis.set_title('a', fontsize=12)\nplt.plot(x, markersize=4)") == []
    )


def test_small_words_are_seen(book):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots()
    axis.plot([0, 1], label="RNN")
    axis.set(xlabel="steps", ylabel="loss, nats")
    axis.legend()
    assert drawn.small_words(figure) == []
    axis.text(0.5, 0.5, "a note", fontsize=9)
    assert "'a note'" in drawn.small_words(figure)[0]
    wide, axis = plt.subplots(figsize=(10, 4))
    axis.set(xlabel="steps")
    assert any("steps" in text for text in drawn.small_words(wide))
    plt.close("all")


def test_a_colour_set_by_hand_is_seen(book):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)
    axes[0].plot([0, 1], label="GRU, 67 units", **book["LOOK"]["GRU"])
    axes[1].bar([0, 1], [1, 2], color=book["COLOR"]["LSTM"], label="LSTM")
    axes[1].plot([0, 1], color="black", label="Self-attention")
    assert complaints([figure], book["COLOR"]) == []
    axes[0].plot([0, 1], color=book["PALETTE"][0], label="LSTM, forget bias 1")
    axes[1].errorbar([0, 1], [0, 1], [1, 1], color="red", label="Transformer")
    axes[1].bar([0, 1], [1, 2], label="GRU with attention")
    assert len(complaints([figure], book["COLOR"])) == 3
    plt.close(figure)
