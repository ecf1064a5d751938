"""German to English: chapter 13's two models against the number of training pairs."""

ABOUT = (
    "Multi30k, German to English: the GRU with attention and the Transformer, with the rates of the study "
    "translation_recipe after 600 steps, trained for 900 steps on a 32nd, an eighth, a half of the training set, drawn "
    "at random, and on the whole; greedy BLEU on the validation set."
)
USES = [
    "Vocabulary",
    "pad_batch",
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
    import os

    import numpy as np
    import torch
    from datasets import load_dataset

    data = load_dataset(os.environ.get("MULTI30K", "bentrevett/multi30k"))
    rows = {name: data[name][:] for name in ["train", "validation"]}

    def tokens(text):
        return [word.strip("▁") for word in book["split_words"](text)]

    wanted = [text.lower() for text in rows["validation"]["en"]]

    # At random, since the lines of the file are by turns short and long. A smaller share is part of a larger one.
    shuffled = np.random.default_rng(0).permutation(len(rows["train"]["de"]))

    def train(kind, share, seed):
        drawn = np.sort(shuffled[: len(shuffled) // share])
        texts = {key: [rows["train"][key][i] for i in drawn] for key in ["de", "en"]}
        subwords = {key: book["Subwords"](texts[key], MERGES) for key in texts}
        vocabularies = {key: book["Vocabulary"](subwords[key].symbols) for key in texts}
        encode = {key: lambda text, k=key: vocabularies[k].encode(subwords[k].split(text)) for key in texts}
        pairs = [(encode["de"](de), encode["en"](en)) for de, en in zip(texts["de"], texts["en"])]
        sizes = len(vocabularies["de"]), len(vocabularies["en"])
        torch.manual_seed(seed)
        if kind == "Transformer":
            model = book["Transformer"](*sizes, 128, 4, 512, 3, DROPOUT)
            for layer in model.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.reset_parameters()
        else:
            model = book["AttentionReader"](*sizes, 128, 256, book["DotAttention"](), DROPOUT)
        model.to(book["device"])
        book["train_translator"](model, pairs, STEPS, RATES[kind], seed, WARM_UP, TOKENS, SMOOTHING)
        known = subwords["de"].symbols
        sources = [
            encode["de"]("".join(c if c in known or c == " " else " " for c in text.lower()))
            for text in rows["validation"]["de"]
        ]
        readings = book["read_greedily"](model, sources, vocabularies["en"], 128, longest=45)
        counts = sum(
            book["bleu_counts"](tokens(subwords["en"].join(reading) or "."), tokens(text))
            for reading, text in zip(readings, wanted)
        )
        score = round(float(book["bleu"](counts)), 2)
        report(f"{kind}, 1/{share} of the pairs, seed {seed}: {score}")
        return {
            "bleu": score,
            "pairs": len(pairs),
            "pieces": list(sizes),
            "parameters": sum(p.numel() for p in model.parameters()),
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
