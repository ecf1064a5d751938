"""German to English: chapter 13's settings, compared on the validation set after 600 steps and after 2,800."""

ABOUT = (
    "Multi30k, German to English, all training pairs, one seed, greedy BLEU on the validation set. After 600 steps: "
    "the Transformer with the embedding of the target tied to the output or not, with chapter 12's initialisation of "
    "the linear maps or PyTorch's own, and the GRU with attention, each at several learning rates. After 2,800 steps: "
    "the learning rates of both once more, and the Transformer with two shares of dropout."
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
    for steps, dropout, kind, tied, start, rates in SETTINGS:
        for rate in rates:
            torch.manual_seed(0)
            if kind == "Transformer":
                model = book["Transformer"](*sizes, 128, 4, 512, 3, dropout)
                for layer in model.modules():
                    if start == "PyTorch" and isinstance(layer, torch.nn.Linear):
                        layer.reset_parameters()
                if tied:
                    model.output.weight = model.target.table.weight
            else:
                model = book["AttentionReader"](*sizes, 128, 256, book["DotAttention"](), dropout)
            model.to(book["device"])
            book["train_translator"](model, pairs, steps, rate, 0, WARM_UP, TOKENS, SMOOTHING)
            readings = book["read_greedily"](model, sources, vocabularies["en"], 128, longest=45)
            counts = sum(
                book["bleu_counts"](tokens(subwords["en"].join(reading) or "."), tokens(text))
                for reading, text in zip(readings, rows["validation"]["en"])
            )
            score = round(float(book["bleu"](counts)), 2)
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
                    "parameters": sum(p.numel() for p in model.parameters()),
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
