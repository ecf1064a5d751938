"""German to English: chapter 13's settings, compared on the validation set after 600 steps and after 2,800."""

from studies import common

ABOUT = (
    "Multi30k, German to English, all training pairs, one seed, greedy BLEU on the validation set. After 600 steps: "
    "the Transformer with the embedding of the target tied to the output or not, with chapter 12's initialisation of "
    "the linear maps or PyTorch's own, and the GRU with attention, each at several learning rates. After 2,800 steps: "
    "the learning rates of both once more, and the Transformer with two shares of dropout."
)
USES = [
    "load_multi30k",
    "Vocabulary",
    "split_words",
    "Subwords",
    "train_translator",
    "DotAttention",
    "AttentionReader",
    "Transformer",
    "read_greedily",
    "bleu_counts",
    "bleu",
]

MERGES, WARM_UP, TOKENS, SMOOTHING = 4000, 200, 1200, 0.1
# steps, dropout, model, target table tied to the output, initialisation of the linear maps, learning rates
SETTINGS = [
    (600, 0.15, "Transformer", False, "PyTorch", [0.003, 0.006, 0.009]),
    (600, 0.15, "GRU with attention", False, "PyTorch", [0.006, 0.012, 0.018]),
    (600, 0.15, "Transformer", True, "PyTorch", [0.003, 0.006]),
    (600, 0.15, "Transformer", True, "chapter 12", [0.003, 0.006]),
    (2800, 0.15, "Transformer", False, "PyTorch", [0.004]),
    (2800, 0.1, "Transformer", False, "PyTorch", [0.0027, 0.004, 0.006]),
    (2800, 0.1, "GRU with attention", False, "PyTorch", [0.003, 0.006, 0.012]),
]


def run(book, report):
    import torch

    rows = common.multi30k(book)
    languages = common.Bilingual(book, rows["train"], MERGES)
    cells = []
    for steps, dropout, kind, tied, start, rates in SETTINGS:
        for rate in rates:
            torch.manual_seed(0)
            model = common.translator(book, kind, languages.sizes, dropout, start)
            if tied:
                model.output.weight = model.target.table.weight
            model.to(book["device"])
            book["train_translator"](model, languages.pairs, steps, rate, 0, WARM_UP, TOKENS, SMOOTHING)
            score = languages.bleu(model, rows["validation"])
            report(
                f"{kind}, {steps} steps, dropout {dropout}, tied {tied}, initialisation {start}, rate {rate}: {score}"
            )
            cells.append(
                {
                    "model": kind,
                    "steps": steps,
                    "dropout": dropout,
                    "tied": tied,
                    "initialisation": start,
                    "learning_rate": rate,
                    "parameters": common.parameters(model),
                    "seeds": [0],
                    "bleu": [score],
                }
            )
    return {
        "merges": MERGES,
        "warm_up_steps": WARM_UP,
        "tokens": TOKENS,
        "smoothing": SMOOTHING,
        "cells": cells,
    }
