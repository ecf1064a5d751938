"""Chapter 7's recipe: what each of its parts is worth, on dev."""

from studies import common

ABOUT = (
    "reading aloud with additive attention, 400 steps of 512 words and one seed, by the recipe and with one part of "
    "it changed at a time, scored on dev; the learning rate 0.008, and 0.004 for smaller batches."
)
USES = [*common.READING, "AdditiveAttention", "AttentionReader"]

CHANGES = {  # name: (dropout, options of the loop, how many times the steps)
    "the recipe": (0.1, {}, 1),
    "dropout 0": (0.0, {}, 1),
    "no smoothing": (0.1, {"smoothing": 0.0}, 1),
    "no warm-up": (0.1, {"warm_up": 0.0}, 1),
    "batches of 128": (0.1, {"batch_size": 128}, 4),
}
RATES = {0.008: list(CHANGES), 0.004: ["batches of 128"]}
STEPS, ATTENTION, SEED = common.STEPS // 2, 128, 0


def plan(done):
    return [(name, rate) for rate, names in RATES.items() for name in names]


def measure(book, name, rate):
    dropout, options, times = CHANGES[name]
    embedding, hidden = common.SIZES["embedding_size"], common.SIZES["hidden_size"]

    def make(n_letters, n_phonemes):
        attention = book["AdditiveAttention"](hidden, hidden, ATTENTION)
        return book["AttentionReader"](n_letters, n_phonemes, embedding, hidden, attention, dropout)

    parts = ["dev", "train sample"]
    return common.train_and_read(book, make, times * STEPS, rate, SEED, parts=parts, **options)


def gather(done):
    cells = []
    for name in CHANGES:
        tried = {rate: done[n, rate] for n, rate in sorted(done) if n == name}
        dev = {rate: run["dev"]["word_error"] for rate, run in tried.items()}
        best = common.lowest(dev)
        cells.append({"change": name, "learning_rate": best, "dev": dev[best], "rates": dev})
        cells[-1]["train sample"] = tried[best]["train sample"]["word_error"]
    return common.SIZES | {"seed": SEED, "steps": STEPS, "cells": cells}
