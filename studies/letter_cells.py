"""The letter model with four recurrent layers of about equally many numbers, those of chapter 2's 128 tanh units."""

from functools import cache

from studies import common

ABOUT = (
    "the letter model with a plain RNN, an orthogonally initialised one, an LSTM and a GRU of about equally many "
    "numbers, at three budgets, with three seeds each and rates chosen on dev from the same four."
)
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
SIZES = {"RNN": 128, "RNN, orthogonal": 128, "LSTM": 56, "GRU": 67}
RATES = [0.004, 0.008, 0.016, 0.032]
RATE_STEPS = 1500
SEEDS = [0, 1, 2]
STEPS = [750, 1500, 3000]
EARLY = 5  # letters of a word that count as early


def run(book, report):
    import torch
    from torch import nn

    vocabulary, encoded = common.letter_data(book)
    layers = {"RNN": nn.RNN, "RNN, orthogonal": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}

    @cache
    def train(name, steps, rate, seed):
        torch.manual_seed(seed)
        model = book["LetterModel"](len(vocabulary), EMBEDDING, SIZES[name], layers[name])
        if "orthogonal" in name:
            nn.init.orthogonal_(model.rnn.weight_hh_l0)
        model.to(book["device"])
        book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH)
        found = common.letter_bits(book, model, encoded, EARLY)
        report(f"{name}, {steps} steps, rate {rate}, seed {seed}: {found['dev']}")
        return found

    rates, cells = {}, []
    for name in SIZES:
        rates[name] = {rate: train(name, RATE_STEPS, rate, SEEDS[0])["dev"] for rate in RATES}
    for name in SIZES:
        for steps in STEPS:
            rate = common.lowest(rates[name])
            runs = [train(name, steps, rate, seed) for seed in SEEDS]
            cell = {"layer": name, "hidden_size": SIZES[name], "steps": steps, "learning_rate": rate}
            cell["parameters"] = runs[0]["parameters"]
            cell |= {key: [r[key] for r in runs] for key in ["dev", "dev_early", "dev_late", "train"]}
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
