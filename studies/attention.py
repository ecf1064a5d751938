"""Chapter 8's reader with additive attention at three training budgets, beside uniform attention and a random split."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud with additive attention at three training budgets, three seeds for the two smaller and one for the "
    "largest; with uniform attention, and on a random split, at the smallest. Rates chosen on dev, for additive "
    "attention at the middle budget, for uniform at the smallest."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "load_cmudict",
    "AdditiveAttention",
    "UniformAttention",
    "AttentionReader",
    "length_batches",
    "pad_batch",
    "errors_by_length",
]

EMBEDDING, HIDDEN, ATTENTION, BATCH = 64, 256, 128, 128
RATES = [0.002, 0.004, 0.008]
SEARCHED = {"additive": 2100, "uniform": 700}  # the budget at which the rate is chosen
SEEDS = [0, 1, 2]
RUNS = [  # attention, split, steps, seeds
    ("additive", "by family", 2100, SEEDS),
    ("additive", "by family", 700, SEEDS),
    ("uniform", "by family", 700, SEEDS),
    ("additive", "random", 700, SEEDS),
    ("additive", "by family", 6300, [0]),
]
TRAIN_SAMPLE = 8  # one training word in so many is read again


def run(book, report):
    import torch

    rows, letters, phonemes = book["reading_data"]()
    splits = {"by family": rows, "random": common.random_split(book, rows)}
    pairs = {split: book["reading_pairs"](part["train"], letters, phonemes) for split, part in splits.items()}
    for part in splits.values():
        part["train sample"] = common.every(TRAIN_SAMPLE, part["train"])

    @cache
    def train(kind, split, steps, rate, seed):
        torch.manual_seed(seed)
        attention = {
            "additive": lambda: book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION),
            "uniform": lambda: book["UniformAttention"](),
        }[kind]()
        model = book["AttentionReader"](len(letters), len(phonemes), EMBEDDING, HIDDEN, attention).to(book["device"])
        common.train_by_length(book, model, pairs[split], steps, rate, seed, BATCH)
        return model

    def read(model, part):
        return book["score_reader"](model, part, letters, phonemes)[:2]

    def search(kind, steps):
        def score(rate):
            return read(train(kind, "by family", steps, rate, 0), rows["dev"])[0]

        return common.dev_errors(RATES, score, report, f"{kind}, {steps} steps, ")

    rates, cells = {}, []
    for kind, split, steps, seeds in RUNS:
        if kind not in rates:
            rates[kind] = search(kind, SEARCHED[kind])
        rate = common.lowest(rates[kind])
        cell = {"attention": kind, "split": split, "steps": steps, "learning_rate": rate, "seeds": seeds}
        for seed in seeds:
            model = train(kind, split, steps, rate, seed)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test", "train sample"]:
                edits, lengths = read(model, splits[split][name])
                part = cell.setdefault(name, {})
                common.add_errors(part, edits, lengths)
                common.add_sums(book, part, splits[split][name]["word"], edits, lengths)
            report(f"{kind}, {split}, {steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "attention_size": ATTENTION,
        "batch_size": BATCH,
        "rate_steps": SEARCHED,
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": common.BY_LENGTH,
        "cells": cells,
    }
