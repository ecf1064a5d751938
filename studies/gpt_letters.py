"""Chapter 2's letter model as a decoder-only Transformer, and with one of its newer parts put back at a time."""

from functools import cache

from studies import common

ABOUT = (
    "the letter model as a decoder-only Transformer of about as many numbers as chapter 5's cells, at their three "
    "budgets; then, at the smallest, with one part changed at a time: layer norm, learned positions, a plain "
    "feed-forward network, fewer groups of keys and values. Three seeds, one for the last budget; rates chosen on dev."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "bits_per_letter",
    "train_letter_model",
    "word_bits",
    "FeedForward",
    "GPT",
]

SEEDS = {750: [0, 1, 2], 1500: [0, 1, 2], 3000: [0]}
BATCH, RATE_STEPS, STEPS = 256, 750, [750, 1500, 3000]
RATES = [0.004, 0.008]
SIZE = {"d_model": 32, "n_heads": 4, "d_ff": 112, "n_layers": 2}
PARTS = {
    "layer norm": {},
    "learned positions": {"rotary": False, "d_ff": 101},
    "plain feed-forward": {"d_ff": 165},
    "two groups of keys": {"n_groups": 2, "d_ff": 123},
    "one group of keys": {"n_groups": 1, "d_ff": 128},
}


def run(book, report):
    import torch
    from torch import nn

    changed = {"layer norm": {"norm": nn.LayerNorm}, "plain feed-forward": {"network": book["FeedForward"]}}
    vocabulary, encoded = common.letter_data(book)

    @cache
    def train(part, steps, rate, seed):
        torch.manual_seed(seed)
        model = book["GPT"](len(vocabulary), **SIZE | PARTS.get(part, {}) | changed.get(part, {}))
        model.to(book["device"])
        book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH)
        model.eval()
        found = common.letter_bits(book, model, encoded)
        report(f"{part}, {steps} steps, rate {rate}, seed {seed}: {found['dev']}")
        return found

    whole = "whole"
    rates = {rate: train(whole, RATE_STEPS, rate, 0)["dev"] for rate in RATES}
    best, cells = common.lowest(rates), []
    for part, steps in [*((whole, n) for n in STEPS), *((part, RATE_STEPS) for part in PARTS)]:
        runs = [train(part, steps, best, seed) for seed in SEEDS[steps]]
        cell = {
            "model": part,
            "steps": steps,
            "seeds": SEEDS[steps],
            "learning_rate": best,
            "parameters": runs[0]["parameters"],
        }
        cells.append(cell | {key: [r[key] for r in runs] for key in ["dev", "train"]})
    return {"batch_size": BATCH, **SIZE, "rate_steps": RATE_STEPS, "rates": rates, "cells": cells}
