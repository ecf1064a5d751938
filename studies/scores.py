"""Chapter 9: is the root of d needed? Dot products divided by it, not divided, of a learned scale."""

from studies import common

ABOUT = (
    "reading aloud with dot-product attention, its scores divided by the square root of d = 256, not divided, or "
    "multiplied by a learned scale that starts at 1; 400 steps of 512 words, the best learning rate on dev with three "
    "seeds; the learned scale at the rate of the products that are not divided, as which it starts."
)
USES = [*common.READING, "AttentionReader", "DotAttention", "attend", "check_mask"]

ROOT, NOT = "dot, divided by the root", "dot, not divided"
LEARNED = "dot, learned scale"
NAMES = [ROOT, NOT, LEARNED]
STEPS = common.STEPS // 2
RATES = {ROOT: [0.001, 0.004, 0.008, 0.016], NOT: [0.001, 0.008, 0.016, 0.032]}


def rate_of(done, name):
    """The rate that is best on dev with one seed; a learned scale takes that of NOT."""
    return common.chosen(done, NOT if name == LEARNED else name, common.SEEDS[0], common.dev_word_error)[0]


def plan(done):
    jobs = []
    for name in RATES:
        jobs += common.with_seeds(done, [name], RATES[name], 2, common.SEEDS[0], common.SEEDS, common.dev_word_error)
    if any(job not in done for job in jobs):
        return jobs
    return jobs + [(LEARNED, rate_of(done, LEARNED), seed) for seed in common.SEEDS]


def measure(book, name, rate, seed):
    import torch
    from torch import nn

    embedding, hidden = common.SIZES["embedding_size"], common.SIZES["hidden_size"]

    class LearnedScale(nn.Module):
        """The dot score times exp(a), where a is learned and starts at 0."""

        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.zeros(()))

        def forward(self, query, memory, mask):
            mask = book["check_mask"](mask, memory.shape[:2], memory.device, every_row=True)
            return book["attend"](query, memory, memory, mask[:, None], self.log_scale.exp())

    made = []

    def make(n_letters, n_phonemes):
        attention = {
            ROOT: lambda: book["DotAttention"](),
            NOT: lambda: book["DotAttention"](1.0),
            LEARNED: LearnedScale,
        }[name]()
        made.append(attention)
        torch.manual_seed(seed)  # all start from the same encoder and decoder
        return book["AttentionReader"](n_letters, n_phonemes, embedding, hidden, attention, common.SIZES["dropout"])

    found = common.train_and_read(book, make, STEPS, rate, seed, parts=["dev", "test", "train sample"])
    if name == LEARNED:
        found["scale"] = round(float(made[0].log_scale.detach().exp()), 4)
    return found


def gather(done):
    rates, cells = {}, []
    for name in NAMES:
        best = rate_of(done, name)
        tried = sorted({rate for n, rate, _ in done if n == name})
        rates[name] = {
            rate: [done[name, rate, s]["dev"]["word_error"] for s in common.SEEDS if (name, rate, s) in done]
            for rate in tried
        }
        runs = [done[name, best, seed] for seed in common.SEEDS]
        cell = {"attention": name, "learning_rate": best, "parameters": runs[0]["parameters"]}
        cell |= {"scale": [run["scale"] for run in runs]} if "scale" in runs[0] else {}
        for part in ["dev", "test", "train sample"]:
            cell[part] = common.by_seed(runs, part)
        cells.append(cell)
    return common.SIZES | {"seeds": common.SEEDS, "steps": STEPS, "rates": rates, "cells": cells}
