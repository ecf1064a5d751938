"""German to English: chapter 13's settings, compared on the validation set after 600 steps."""

ABOUT = (
    "Multi30k, German to English, 600 steps on all training pairs: the Transformer with the embedding of the target "
    "tied to the output or not, with chapter 12's initialisation of the linear maps or PyTorch's own, and the GRU "
    "with attention, each at several learning rates, one seed; greedy BLEU on the validation set."
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

MERGES, STEPS, WARM_UP, TOKENS, SMOOTHING, DROPOUT = 4000, 600, 200, 1200, 0.1, 0.15
# model, target table tied to the output, initialisation of the linear maps, learning rates
SETTINGS = [
    ("Transformer", False, "PyTorch", [0.003, 0.006, 0.009]),
    ("GRU with attention", False, "PyTorch", [0.006, 0.012, 0.018]),
    ("Transformer", True, "PyTorch", [0.003, 0.006]),
    ("Transformer", True, "chapter 12", [0.003, 0.006]),
]


def run(book, report):
    import os

    import torch
    from datasets import load_dataset

    data = load_dataset(os.environ.get("MULTI30K", "bentrevett/multi30k"))
    rows = {name: data[name][:] for name in ["train", "validation"]}
    subwords = {key: book["Subwords"](rows["train"][key], MERGES) for key in ["de", "en"]}
    vocabularies = {key: book["Vocabulary"](subwords[key].symbols) for key in subwords}
    sizes = len(vocabularies["de"]), len(vocabularies["en"])

    def encode(key, text):
        known = subwords[key].symbols
        text = "".join(c if c in known or c == " " else " " for c in text.lower())
        return vocabularies[key].encode(subwords[key].split(text))

    def tokens(text):
        return [word.strip("▁") for word in book["split_words"](text)]

    pairs = [(encode("de", de), encode("en", en)) for de, en in zip(rows["train"]["de"], rows["train"]["en"])]
    sources = [encode("de", text) for text in rows["validation"]["de"]]
    cells = []
    for kind, tied, start, rates in SETTINGS:
        for rate in rates:
            torch.manual_seed(0)
            if kind == "Transformer":
                model = book["Transformer"](*sizes, 128, 4, 512, 3, DROPOUT)
                for layer in model.modules():
                    if start == "PyTorch" and isinstance(layer, torch.nn.Linear):
                        layer.reset_parameters()
                if tied:
                    model.output.weight = model.target.table.weight
            else:
                model = book["AttentionReader"](*sizes, 128, 256, book["DotAttention"](), DROPOUT)
            model.to(book["device"])
            book["train_translator"](model, pairs, STEPS, rate, 0, WARM_UP, TOKENS, SMOOTHING)
            readings = book["read_greedily"](model, sources, vocabularies["en"], 128, longest=45)
            counts = sum(
                book["bleu_counts"](tokens(subwords["en"].join(reading) or "."), tokens(text))
                for reading, text in zip(readings, rows["validation"]["en"])
            )
            score = round(float(book["bleu"](counts)), 2)
            report(f"{kind}, tied {tied}, initialisation {start}, rate {rate}: {score}")
            cells.append(
                {
                    "model": kind,
                    "tied": tied,
                    "initialisation": start,
                    "learning_rate": rate,
                    "parameters": sum(p.numel() for p in model.parameters()),
                    "seeds": [0],
                    "bleu": [score],
                }
            )
    return {
        "merges": MERGES,
        "steps": STEPS,
        "warm_up_steps": WARM_UP,
        "tokens": TOKENS,
        "smoothing": SMOOTHING,
        "dropout": DROPOUT,
        "cells": cells,
    }
