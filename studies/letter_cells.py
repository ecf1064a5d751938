"""The letter model with seven recurrent layers of about equally many parameters, those of 128 tanh units."""

from studies import common

ABOUT = (
    "the letter model with RNNs, LSTMs, a GRU and GRUs with one gate, of about equally many parameters, at three "
    "budgets, the learning rate chosen on dev for each network and budget, with three seeds each."
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
SIZES = {
    "RNN": 128,
    "RNN, orthogonal": 128,
    "LSTM": 56,
    "LSTM, forget bias 1": 56,
    "GRU": 67,
    "GRU, no reset gate": 86,
    "GRU, no update gate": 86,
}
RATES, WIDEN = [0.004, 0.008, 0.016, 0.032, 0.064], 2
STEPS = [750, 1500, 3000]
SEEDS = [0, 1, 2]  # the rate is chosen with the first
EARLY = 5  # letters of a word that count as early


def plan(done):
    jobs = []
    for steps in STEPS:
        of_steps = common.of_size(done, steps)
        wanted = common.with_seeds(of_steps, SIZES, RATES, WIDEN, SEEDS[0], SEEDS, lambda result: result["dev"])
        jobs += [(name, steps, rate, seed) for name, rate, seed in wanted]
    return jobs


def make_model(book, name, vocabulary):
    """A letter model; a gate that is taken out is held by its bias, 1 for the reset gate and 0 for the update gate."""
    import torch

    size = SIZES[name]
    model = book["LetterModel"](len(vocabulary), EMBEDDING, size, common.layer_class(name))
    common.start(name, model.rnn)
    with torch.no_grad():
        if "no reset" in name:
            model.rnn.bias_ih_l0[:size] = 30.0
        if "no update" in name:
            model.rnn.bias_ih_l0[size : 2 * size] = -30.0
    return model


def measure(book, name, steps, rate, seed):
    import torch

    vocabulary, encoded = common.letter_data(book)
    torch.manual_seed(seed)
    model = make_model(book, name, vocabulary).to(book["device"])
    book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH)
    return common.letter_bits(book, model, encoded, EARLY)


def gather(done):
    cells, rates = [], {}
    for name in SIZES:
        for steps in STEPS:
            rate, tried = common.chosen(common.of_size(done, steps), name, SEEDS[0], lambda result: result["dev"])
            rates.setdefault(name, {})[steps] = tried
            runs = [done[name, steps, rate, seed] for seed in SEEDS]
            cell = {"layer": name, "hidden_size": SIZES[name], "steps": steps, "learning_rate": rate}
            learn = runs[0]["parameters"]
            if ", no " in name:  # the weights of a gate that is held do not learn
                learn -= SIZES[name] * (EMBEDDING + SIZES[name] + 2)
            cell["parameters"] = learn
            cell |= {key: [r[key] for r in runs] for key in ["dev", "dev_early", "dev_late", "train"]}
            cells.append(cell)
    return {
        "seeds": SEEDS,
        "batch_size": BATCH,
        "embedding_size": EMBEDDING,
        "early_places": EARLY,
        "rates": rates,
        "cells": cells,
    }
