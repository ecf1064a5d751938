"""German to English: chapter 13's two models against the number of training pairs."""

from studies import common

ABOUT = (
    "Multi30k, German to English: the GRU with attention and the Transformer, with the rates of the study "
    "translation_recipe after 600 steps, trained for 900 steps on a 32nd, an eighth, a half of the training set, drawn "
    "at random, and on the whole; greedy BLEU on the validation set."
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

MERGES, STEPS, WARM_UP, TOKENS, SMOOTHING, DROPOUT = 4000, 900, 200, 1200, 0.1, 0.15
RATES = {"Transformer": 0.006, "GRU with attention": 0.012}
SHARES = [32, 8, 2, 1]  # a 32nd, an 8th and a half of the pairs, and all
SEEDS = [0]


def run(book, report):
    import numpy as np
    import torch

    rows = common.multi30k(book)

    # At random, since the lines of the file are by turns short and long. A smaller share is part of a larger one.
    shuffled = np.random.default_rng(0).permutation(len(rows["train"]["de"]))

    def train(kind, share, seed):
        drawn = np.sort(shuffled[: len(shuffled) // share])
        texts = {key: [rows["train"][key][i] for i in drawn] for key in ["de", "en"]}
        languages = common.Bilingual(book, texts, MERGES)
        torch.manual_seed(seed)
        model = common.translator(book, kind, languages.sizes, DROPOUT).to(book["device"])
        book["train_translator"](model, languages.pairs, STEPS, RATES[kind], seed, WARM_UP, TOKENS, SMOOTHING)
        score = languages.bleu(model, rows["validation"])
        report(f"{kind}, 1/{share} of the pairs, seed {seed}: {score}")
        return {
            "bleu": score,
            "pairs": len(languages.pairs),
            "pieces": list(languages.sizes),
            "parameters": common.parameters(model),
        }

    cells = []
    for share in SHARES:
        for kind in RATES:
            runs = [train(kind, share, seed) for seed in SEEDS]
            cell = {"model": kind, "learning_rate": RATES[kind], "seeds": SEEDS}
            cell |= {key: runs[0][key] for key in ["pairs", "pieces", "parameters"]}
            cells.append(cell | {"bleu": [r["bleu"] for r in runs]})
    return {
        "merges": MERGES,
        "steps": STEPS,
        "warm_up_steps": WARM_UP,
        "tokens": TOKENS,
        "smoothing": SMOOTHING,
        "dropout": DROPOUT,
        "cells": cells,
    }
