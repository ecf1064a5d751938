"""Chapter 2's letter model over seeds, training budgets and widths."""

ABOUT = "the letter model at three widths and up to three budgets, three seeds each, the learning rate chosen on dev."
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "bits_per_letter",
    "LetterModel",
    "train_letter_model",
    "word_bits",
]

EMBEDDING, BATCH = 32, 256
RATES = [0.002, 0.004, 0.008, 0.016, 0.032]
RATE_STEPS = 1500
SEEDS = [0, 1, 2]
CELLS = [(128, 3000), (256, 1500), (256, 3000), (256, 6000), (512, 3000), (512, 6000)]  # (hidden size, steps)


def run(book, report):
    import torch

    data = book["split_by_family"](book["load_cmudict"]())
    words = {name: list(data[name]["word"]) for name in data}
    vocabulary = book["Vocabulary"](letter for word in words["train"] for letter in word)
    encoded = {name: [vocabulary.encode(word) for word in words[name]] for name in ["train", "dev"]}
    device = book["device"]

    def train(width, steps, rate, seed, curve=False):
        torch.manual_seed(seed)
        model = book["LetterModel"](len(vocabulary), EMBEDDING, width).to(device)

        def dev():
            return round(book["bits_per_letter"](book["word_bits"](model, encoded["dev"])), 4)

        points = []
        watch = (lambda step, mean: points.append([step, round(mean, 4), dev()])) if curve else None
        book["train_letter_model"](model, encoded["train"], steps, rate, seed, BATCH, watch, max(1, steps // 15))
        parameters = sum(p.numel() for p in model.parameters())
        seen = round(book["bits_per_letter"](book["word_bits"](model, encoded["train"][::15])), 4)
        return dev(), seen, parameters, points

    rates = {}
    for width in sorted({width for width, _ in CELLS}):
        rates[width] = {rate: train(width, RATE_STEPS, rate, SEEDS[0])[0] for rate in RATES}
        report(f"width {width}: dev bits by rate {rates[width]}")
    cells = []
    for width, steps in CELLS:
        rate = min(rates[width], key=rates[width].get)
        runs = [train(width, steps, rate, seed, curve=(width, steps) == (256, 3000)) for seed in SEEDS]
        cells.append(
            {
                "hidden_size": width,
                "steps": steps,
                "learning_rate": rate,
                "parameters": runs[0][2],
                "seeds": SEEDS,
                "dev": [r[0] for r in runs],
                "train": [r[1] for r in runs],
            }
        )
        if runs[0][3]:
            cells[-1]["curves"] = [r[3] for r in runs]
        report(f"width {width}, {steps} steps: {cells[-1]['dev']}")
    return {"batch_size": BATCH, "embedding_size": EMBEDDING, "rate_steps": RATE_STEPS, "rates": rates, "cells": cells}
