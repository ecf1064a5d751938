"""Chapter 7's encoder-decoder at three training budgets."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud with the plain encoder-decoder at three training budgets, three seeds for the two smaller and one "
    "for the largest, at a rate chosen on dev at the middle one."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "EncoderDecoder",
    "length_batches",
    "pad_batch",
    "errors_by_length",
]

EMBEDDING, HIDDEN, CONTEXT, BATCH = 64, 256, 256, 128
RATES = [0.002, 0.004, 0.008]
MIDDLE = 2100
RUNS = {MIDDLE: [0, 1, 2], 700: [0, 1, 2], 6300: [0]}  # steps: seeds
KEPT = (MIDDLE, 0)  # the run whose wrong test words are stored, for comparisons word by word
TRAIN_SAMPLE = 8  # one training word in so many is read again


def run(book, report):
    import base64

    import numpy as np
    import torch

    rows, letters, phonemes = book["reading_data"]()
    rows["train sample"] = common.every(TRAIN_SAMPLE, rows["train"])
    pairs = book["reading_pairs"](rows["train"], letters, phonemes)

    @cache
    def train(steps, rate, seed):
        torch.manual_seed(seed)
        model = book["EncoderDecoder"](len(letters), len(phonemes), EMBEDDING, HIDDEN, CONTEXT).to(book["device"])
        common.train_by_length(book, model, pairs, steps, rate, seed, BATCH)
        return model

    def read(model, name):
        return book["score_reader"](model, rows[name], letters, phonemes)[:2]

    rates = common.dev_errors(RATES, lambda rate: read(train(MIDDLE, rate, 0), "dev")[0], report)
    rate = common.lowest(rates)

    cells, kept = [], None
    for steps, seeds in RUNS.items():
        cell = {"steps": steps, "seeds": seeds}
        for seed in seeds:
            model = train(steps, rate, seed)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test", "train sample"]:
                edits, lengths = read(model, name)
                part = cell.setdefault(name, {})
                common.add_errors(part, edits, lengths)
                common.add_sums(book, part, rows[name]["word"], edits, lengths)
                if name == "test" and (steps, seed) == KEPT:
                    kept = base64.b64encode(np.packbits(edits > 0).tobytes()).decode()
            report(f"{steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "context_size": CONTEXT,
        "batch_size": BATCH,
        "learning_rate": rate,
        "rate_steps": MIDDLE,
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": common.BY_LENGTH,
        "cells": cells,
        "kept": {"steps": KEPT[0], "seed": KEPT[1], "wrong_test_words": kept},
    }
