"""Chapter 2's letter model with dropout, chosen on dev, against the same without, and both against the n-gram."""

from studies import common

ABOUT = (
    "the letter model of 256 and 512 units with and without dropout, the probability, the learning rate and the number "
    "of steps chosen on dev, with three seeds each, against the Kneser-Ney n-gram, resampled by word family."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "KneserNey",
    "bits_per_letter",
    "LetterModel",
    "train_letter_model",
    "word_bits",
    "family_gap",
]

EMBEDDING, BATCH, ORDER = 64, 256, 6
RATES = {256: [0.002, 0.004, 0.008], 512: [0.001, 0.002, 0.004]}
DROPOUTS = [0.0, 0.1, 0.2, 0.3]
RATE_STEPS, STEPS = 6000, [3000, 6000, 12000]
SEEDS = [0, 1, 2]  # choices are made with the first
EARLY = 5
KINDS = [(width, dropouts) for width in RATES for dropouts in ([0.0], DROPOUTS[1:])]


def choice(done, width, dropouts):
    """Dropout, learning rate and steps with the fewest bits on dev, or the runs that are needed to say so."""
    tried = {(d, r): ("grid", width, d, r, RATE_STEPS, SEEDS[0]) for d in dropouts for r in RATES[width]}
    if any(job not in done for job in tried.values()):
        return None, list(tried.values())
    best = min(tried, key=lambda key: done[tried[key]]["dev"])
    tried = {steps: ("grid", width, *best, steps, SEEDS[0]) for steps in STEPS}
    if any(job not in done for job in tried.values()):
        return None, list(tried.values())
    return (*best, min(tried, key=lambda key: done[tried[key]]["dev"])), []


def plan(done):
    jobs = []
    for width, dropouts in KINDS:
        best, missing = choice(done, width, dropouts)
        jobs += missing if best is None else [("final", width, *best, seed) for seed in SEEDS]
    return jobs


@common.once
def ngram_bits(book):
    """The n-gram's surprisals on dev and test words."""
    rows = common.letter_rows(book)
    ngram = book["KneserNey"](rows["train"]["word"], ORDER)
    return {name: [ngram.bits(word) for word in rows[name]["word"]] for name in ["dev", "test"]}


def measure(book, stage, width, dropout, rate, steps, seed):
    import torch

    vocabulary, encoded = common.letter_data(book)
    torch.manual_seed(seed)
    model = book["LetterModel"](len(vocabulary), EMBEDDING, width, dropout=dropout).to(book["device"])
    book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH)
    found = common.letter_bits(book, model, encoded, EARLY)
    if stage == "grid":
        return found
    rows = common.letter_rows(book)
    for name in ["dev", "test"]:  # the test words choose nothing
        ours = book["word_bits"](model, [vocabulary.encode(word) for word in rows[name]["word"]])
        found[name] = round(book["bits_per_letter"](ours), 4)
        gap = book["family_gap"](ours, ngram_bits(book)[name], rows[name]["family"])
        found[f"{name}_gap"] = [round(v, 4) for v in gap]
    return found


def gather(done):
    cells = []
    for width, dropouts in KINDS:
        (d, r, steps), _ = choice(done, width, dropouts)
        runs = [done["final", width, d, r, steps, seed] for seed in SEEDS]
        cell = {"hidden_size": width, "dropout": d, "learning_rate": r, "steps": steps}
        cell["parameters"] = runs[0]["parameters"]
        keys = ["dev", "train", "dev_early", "dev_late", "test", "dev_gap", "test_gap"]
        cell |= {key: [run[key] for run in runs] for key in keys}
        for key in ["dev", "train"]:
            cell[f"{key}_by_steps"] = {s: done["grid", width, d, r, s, SEEDS[0]][key] for s in STEPS}
        cells.append(cell)
    grid = {
        width: {d: {r: done["grid", width, d, r, RATE_STEPS, SEEDS[0]]["dev"] for r in rates} for d in DROPOUTS}
        for width, rates in RATES.items()
    }
    return {
        "seeds": SEEDS,
        "batch_size": BATCH,
        "embedding_size": EMBEDDING,
        "order": ORDER,
        "early_letters": EARLY,
        "rate_steps": RATE_STEPS,
        "grid": grid,
        "cells": cells,
    }
