"""Chapter 9: one projection for keys and values, or two, of width 1 to 64."""

from studies import common

ABOUT = (
    "reading aloud with attention whose queries, keys and values are 1 to 64 entries wide, the value being the key or "
    "having a projection of its own; and, with states for values, additive attention and a projected dot product of "
    "equally many parameters; 400 steps of 512 words, three seeds each; the learning "
    "rate that is best on dev for separate projections of four entries."
)
USES = [*common.READING, "AdditiveAttention", "AttentionReader", "ProjectedAttention", "attend", "check_mask"]

STEPS, RATES = common.STEPS // 2, [0.004, 0.008, 0.016]
WIDTHS, DOUBLE = [4, 64, 1], "tied, d = 8"  # what two vectors of four may need as one
KINDS = ["separate", "tied"]
NAMES = [f"{kind}, d = {width}" for width in WIDTHS for kind in KINDS]
RIVALS = ["additive", "projected dot"]
ATTENTION = 128
SEARCHED = "separate, d = 4"


def rate_of(done):
    return common.chosen(done, SEARCHED, common.SEEDS[0], common.dev_word_error)[0]


def plan(done):
    jobs = common.with_seeds(done, [SEARCHED], RATES, 2, common.SEEDS[0], [], common.dev_word_error)
    if any(job not in done for job in jobs):
        return jobs
    return jobs + [(name, rate_of(done), seed) for seed in common.SEEDS for name in [*NAMES, *RIVALS, DOUBLE]]


def measure(book, name, rate, seed):
    import torch
    from torch import nn

    embedding, hidden = common.SIZES["embedding_size"], common.SIZES["hidden_size"]

    class Projected(nn.Module):
        """The dot score of W_q q and W_k m; the values are the states."""

        def __init__(self):
            super().__init__()
            self.W_q, self.W_k = (nn.Linear(hidden, ATTENTION, bias=False) for _ in range(2))

        def forward(self, query, memory, mask):
            mask = book["check_mask"](mask, memory.shape[:2], memory.device, every_row=True)
            return book["attend"](self.W_q(query), self.W_k(memory), memory, mask[:, None])

    def make(n_letters, n_phonemes):
        if name == "additive":
            attention = book["AdditiveAttention"](hidden, hidden, ATTENTION)
        elif name == "projected dot":
            attention = Projected()
        else:
            attention = book["ProjectedAttention"](hidden, hidden, int(name.split()[-1]), tied=name.startswith("tied"))
        torch.manual_seed(seed)  # all start from the same encoder and, where its widths allow, the same decoder
        return book["AttentionReader"](n_letters, n_phonemes, embedding, hidden, attention, common.SIZES["dropout"])

    return common.train_and_read(book, make, STEPS, rate, seed, parts=["dev", "test", "train sample"])


def gather(done):
    cells, rate = [], rate_of(done)
    for name in [f"{kind}, d = {width}" for kind in KINDS for width in sorted(WIDTHS)] + [DOUBLE, *RIVALS]:
        runs = [done[name, rate, seed] for seed in common.SEEDS]
        kind, _, width = name.partition(", d = ")
        cell = {"attention": kind, "learning_rate": rate, "parameters": runs[0]["parameters"]}
        cell |= {"width": int(width)} if width else {}
        for part in ["dev", "test", "train sample"]:
            cell[part] = common.by_seed(runs, part)
        cells.append(cell)
    rates = {SEARCHED: common.tried_rates(done, SEARCHED, common.SEEDS[0], common.dev_word_error)}
    return common.SIZES | {"seeds": common.SEEDS, "steps": STEPS, "rates": rates, "cells": cells}
