"""Chapter 8's additive attention beside attention that has no choice, or less, and by split."""

from studies import common

ABOUT = (
    "reading aloud with additive attention beside uniform weights, a window of one speed and a window that a learned "
    "step moves on, and additive attention whose decoder starts from zeros; 800 steps of 512 words, three seeds, "
    "learning rates chosen on dev; additive attention also on a random split, and with one seed for 1,600 steps on "
    "both splits, with dropout and without; the moving window whose decoder starts from zeros, with one seed."
)
USES = [*common.READING, "AdditiveAttention", "UniformAttention", "AttentionReader", "WindowAttention", "WindowReader"]

ATTENTION = 128
CONTROLS = [
    "additive",
    "fixed window",
    "uniform",
    "moving window",
    "additive, start of zeros",
    "additive, random split",
]
LONGER = ["additive", "additive, start of zeros", "additive, random split"]
SEARCHED = {name: "additive" if name.startswith("additive") else name for name in CONTROLS}
SEARCHED["moving window"] = "fixed window"  # whose learning rate each takes
LEAK = ["additive, no dropout", "additive, no dropout, random split"]
WINDOW = "moving window, start of zeros"


def plan(done):
    jobs = common.rate_then_seeds(done, CONTROLS, SEARCHED, LONGER)
    rates = {job[2] for job in jobs if job[:2] == ("additive", common.LONGER)}
    jobs += [(name, common.LONGER, rate, common.SEEDS[0]) for name in LEAK for rate in rates]
    return jobs + [(WINDOW, *job[1:]) for job in jobs if job[0] == "moving window" and job[3] == common.SEEDS[0]]


def measure(book, name, steps, rate, seed):
    import torch

    sizes = common.SIZES
    embedding, hidden = sizes["embedding_size"], sizes["hidden_size"]
    dropout = 0.0 if "no dropout" in name else sizes["dropout"]

    class StartOfZeros(book["WindowReader" if "window" in name else "AttentionReader"]):
        """What the decoder knows of a word comes to it through the attention and by no other way."""

        def start(self, source, mask):
            s, *rest = super().start(source, mask)
            return torch.zeros_like(s), *rest

    def make(n_letters, n_phonemes):
        if "window" in name:
            attention, reader = book["WindowAttention"](hidden, fixed="fixed" in name), book["WindowReader"]
        elif name == "uniform":
            attention, reader = book["UniformAttention"](), book["AttentionReader"]
        else:
            attention = book["AdditiveAttention"](hidden, hidden, ATTENTION)
            reader = book["AttentionReader"]
        reader = StartOfZeros if "zeros" in name else reader
        return reader(n_letters, n_phonemes, embedding, hidden, attention, dropout)

    split = "random" if "random" in name else "by family"
    return common.train_and_read(book, make, steps, rate, seed, split)


def gather(done, book):
    rates, cells = common.reading_cells(book, done, CONTROLS, SEARCHED, LONGER, by_length=CONTROLS[:3])
    best = {name: common.lowest(rates[SEARCHED[name]]) for name in CONTROLS}
    blind = done[WINDOW, common.STEPS, best["moving window"], common.SEEDS[0]]
    cells.append({"reader": WINDOW, "steps": common.STEPS, "learning_rate": best["moving window"]})
    cells[-1]["parameters"] = blind["parameters"]
    for part in common.PARTS[:3]:
        cells[-1][part] = common.by_seed([blind], part) | {"excess": [common.excess(book, blind[part])]}
    by_family = [name for name in CONTROLS if "random" not in name]
    wrong = {name: common.wrong_by_seed(done, name, best[name]) for name in by_family}
    beyond = {name: common.family_difference(book, wrong[name], wrong["additive"]) for name in by_family[1:]}
    splits = []
    for name in ["additive", "additive, random split", *LEAK]:
        for steps, seeds in [(common.STEPS, common.SEEDS), (common.LONGER, common.SEEDS[:1])]:
            runs = [done.get((name, steps, best["additive"], seed)) for seed in seeds]
            if all(runs):
                errors = {part: [run[part]["word_error"] for run in runs] for part in common.PARTS}
                splits.append({"reader": name, "steps": steps} | errors)
    return common.SIZES | {
        "attention_size": ATTENTION,
        "seeds": common.SEEDS,
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": "words, wrong and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
        "minus additive": beyond,
        "splits": splits,
        "kept": {
            "reader": "additive",
            "steps": common.STEPS,
            "seed": 0,
            "wrong_test_words": done["additive", common.STEPS, best["additive"], 0]["wrong"],
        },
    }
