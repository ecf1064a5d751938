"""Chapter 2's letter model with and without gradient clipping, at its learning rate and at larger ones."""

from studies import common

ABOUT = (
    "chapter 2's letter model of 256 units, trained for 3,000 steps with the gradient clipped at 1 and not clipped, at "
    "its learning rate and at four and sixteen times as much, with three seeds each."
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

EMBEDDING, HIDDEN, BATCH, STEPS = 64, 256, 256, 3000
RATES, CLIPS, SEEDS = [0.004, 0.016, 0.064], [1.0, 1e9], [0, 1, 2]  # at 1e9 nothing is clipped


def plan(done):
    return [(rate, clip, seed) for rate in RATES for clip in CLIPS for seed in SEEDS]


def measure(book, rate, clip, seed):
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    vocabulary, encoded = common.letter_data(book)
    torch.manual_seed(seed)
    model = book["LetterModel"](len(vocabulary), EMBEDDING, HIDDEN).to(book["device"])
    lengths, means = [], []

    def note_length(optimizer, args, kwargs):  # of the gradient that the optimiser gets, clipped or not
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        lengths.append(torch.stack([g.norm() for g in gradients]).norm())

    handle = register_optimizer_step_pre_hook(note_length)
    try:
        book["train_letter_model"](
            model, encoded["train"], STEPS, rate, seed, BATCH, lambda step, mean: means.append(mean), 50, clip
        )
    finally:
        handle.remove()
    lengths = torch.stack(lengths).cpu()
    found = common.letter_bits(book, model, encoded)
    return {
        "dev": found["dev"],
        "train": found["train"],
        "worst_after_500": round(max(means[10:]), 3),
        "longest_gradient": round(float(lengths.max()), 3),
        "median_gradient": round(float(lengths.median()), 3),
        "at_the_limit": round(float((lengths > 0.999).double().mean()), 4),
    }


def gather(done):
    cells = [
        {"learning_rate": rate, "clip": None if clip > 1e6 else clip}
        | {key: [done[rate, clip, seed][key] for seed in SEEDS] for key in done[rate, clip, SEEDS[0]]}
        for rate in RATES
        for clip in CLIPS
    ]
    return {"seeds": SEEDS, "hidden_size": HIDDEN, "batch_size": BATCH, "steps": STEPS, "cells": cells}
