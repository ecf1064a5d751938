"""Chapter 2's letter model over widths, training budgets and seeds, the learning rate chosen on dev."""

from functools import cache

from studies import common

ABOUT = "the letter model at three widths, one of them at three budgets, with three seeds each and rates chosen on dev."
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "bits_per_letter",
    "LetterModel",
    "train_letter_model",
    "word_bits",
]

EMBEDDING, BATCH = 64, 256
RATES = {128: [0.004, 0.008, 0.016], 256: [0.002, 0.004, 0.008], 512: [0.001, 0.002, 0.004]}
RATE_STEPS = 3000
SEEDS = [0, 1, 2]
CELLS = [(128, 3000), (256, 1500), (256, 3000), (256, 6000), (512, 3000)]  # (hidden size, steps)
EARLY = 5  # letters of a word that count as early


def run(book, report):
    import torch

    vocabulary, encoded = common.letter_data(book)

    @cache
    def train(width, steps, rate, seed):
        torch.manual_seed(seed)
        model = book["LetterModel"](len(vocabulary), EMBEDDING, width).to(book["device"])
        curve = []

        def watch(step, mean):
            dev = book["bits_per_letter"](book["word_bits"](model, encoded["dev"]))
            curve.append([step, round(mean, 4), round(dev, 4)])

        book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH, watch, steps // 15)
        found = common.letter_bits(book, model, encoded, EARLY)
        report(f"{width} units, {steps} steps, rate {rate}, seed {seed}: {found['dev']}")
        return found | {"curve": curve}

    rates, cells = {}, []
    for width, tried in RATES.items():
        rates[width] = {rate: train(width, RATE_STEPS, rate, SEEDS[0])["dev"] for rate in tried}
    for width, steps in CELLS:
        rate = common.lowest(rates[width])
        runs = [train(width, steps, rate, seed) for seed in SEEDS]
        cell = {"hidden_size": width, "steps": steps, "learning_rate": rate, "parameters": runs[0]["parameters"]}
        cell |= {name: [r[name] for r in runs] for name in ["dev", "dev_early", "dev_late", "train"]}
        if (width, steps) == (256, 3000):
            cell["curves"] = [r["curve"] for r in runs]
        cells.append(cell)
    return {
        "seeds": SEEDS,
        "batch_size": BATCH,
        "embedding_size": EMBEDDING,
        "early_places": EARLY,
        "rate_steps": RATE_STEPS,
        "rates": rates,
        "cells": cells,
    }
