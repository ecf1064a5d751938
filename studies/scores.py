"""Chapter 9's scores: dot product with and without the square root, general and additive."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud with attention by the dot product, with and without its division by the square root of d, by the "
    "general and by the additive score, at one budget; three seeds each, rates chosen on dev from the same two."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "AdditiveAttention",
    "AttentionReader",
    "DotAttention",
    "GeneralAttention",
    "train_reader",
    "errors_by_length",
    "paired_bootstrap",
]

EMBEDDING, HIDDEN, ATTENTION, BATCH = 64, 256, 128, 128
RATES = [0.004, 0.008]
STEPS, SEEDS = 700, [0, 1, 2]
KINDS = ["dot, scaled", "dot, unscaled", "general", "additive"]


def run(book, report):
    import torch

    rows, letters, phonemes = book["reading_data"]()
    pairs = book["reading_pairs"](rows["train"], letters, phonemes)

    @cache
    def train(kind, rate, seed):
        torch.manual_seed(seed)
        attention = {
            "dot, scaled": lambda: book["DotAttention"](),
            "dot, unscaled": lambda: book["DotAttention"](scaled=False),
            "general": lambda: book["GeneralAttention"](HIDDEN, HIDDEN),
            "additive": lambda: book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION),
        }[kind]()
        torch.manual_seed(seed)  # all kinds start from the same encoder and decoder
        model = book["AttentionReader"](len(letters), len(phonemes), EMBEDDING, HIDDEN, attention).to(book["device"])
        book["train_reader"](model, pairs, STEPS, rate, seed, BATCH)
        return model

    def read(model, name):
        return book["score_reader"](model, rows[name], letters, phonemes)[:2]

    def search(kind):
        return common.dev_errors(RATES, lambda rate: read(train(kind, rate, 0), "dev")[0], report, f"{kind}, ")

    rates, cells, wrong = {kind: search(kind) for kind in KINDS}, [], {}
    for kind in KINDS:
        rate = common.lowest(rates[kind])
        cell = {"attention": kind, "steps": STEPS, "learning_rate": rate, "seeds": SEEDS, "beyond_scaled_dot": []}
        for seed in SEEDS:
            model = train(kind, rate, seed)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                part = cell.setdefault(name, {})
                common.add_errors(part, edits, lengths)
                common.add_sums(book, part, rows[name]["word"], edits, lengths, ["words", "wrong"])
            wrong[kind, seed] = edits > 0  # of the test words, read last
            interval = book["paired_bootstrap"](wrong[kind, seed], wrong[KINDS[0], seed])
            cell["beyond_scaled_dot"].append([round(value, 4) for value in interval])
            report(f"{kind}, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "attention_size": ATTENTION,
        "batch_size": BATCH,
        "steps": STEPS,
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": "words and wrong are sums over the words of each length and over the seeds",
        "cells": cells,
    }
