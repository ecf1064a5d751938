"""Chapter 14's decoder-only model on chapter 7's task, at two training budgets, trained by chapter 12's loop."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud with a decoder-only Transformer of about as many numbers as chapter 12's, trained by chapter 12's "
    "loop at two training budgets, three seeds for the smaller and one for the larger; the rate chosen on dev at the "
    "smaller."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "Vocabulary",
    "GPT",
    "GPTReader",
    "train_transformer",
    "errors_by_length",
    "fit_phoneme_error",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH = 128, 4, 256, 4, 128
WARM_UP, SMOOTHING = 100, 0.1
RATE_STEPS, RATES = 700, [0.002, 0.004]
SEEDS = {700: [0, 1, 2], 2100: [0]}


def run(book, report):
    import torch

    rows, letters, phonemes = book["reading_data"]()
    symbols = book["Vocabulary"]([*letters.symbols, *phonemes.symbols])
    pairs = book["reading_pairs"](rows["train"], symbols, symbols)

    @cache
    def train(steps, rate, seed):
        torch.manual_seed(seed)
        model = book["GPTReader"](book["GPT"](len(symbols), D_MODEL, HEADS, D_FF, LAYERS)).to(book["device"])
        book["train_transformer"](model, pairs, steps, rate, seed, WARM_UP, SMOOTHING, BATCH)
        return model

    def read(model, name):
        return book["score_reader"](model, rows[name], symbols, symbols)[:2]

    rates = common.dev_errors(RATES, lambda rate: read(train(RATE_STEPS, rate, 0), "dev")[0], report)
    best, cells = common.lowest(rates), []
    for steps in SEEDS:
        cell = {"steps": steps, "learning_rate": best, "seeds": SEEDS[steps]}
        for seed in SEEDS[steps]:
            model = train(steps, best, seed)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                common.add_errors(cell.setdefault(name, {}), edits, lengths)
            common.add_sums(book, cell["test"], rows["test"]["word"], edits, lengths)  # of test, read last
            report(f"{steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cell["null_phoneme_error"] = common.null_phoneme_error(book, cell["test"])
        cells.append(cell)
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_ff": D_FF,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "warm_up_steps": WARM_UP,
        "smoothing": SMOOTHING,
        "rate_steps": RATE_STEPS,
        "rates": rates,
        "fitted_on_letters": common.FITTED_ON,
        "letters": common.LETTERS,
        "by_length": "words, wrong, edits and phonemes are sums over the test words of each length and over the seeds",
        "cells": cells,
    }
