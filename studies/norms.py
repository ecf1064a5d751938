"""Chapter 12's orders of norm and residual, in the paper's depth, with and without warm-up."""

from studies import common

ABOUT = (
    "the Transformer with six layers in encoder and decoder and 64 numbers wide, layer norm before and after each "
    "sublayer, with and without warm-up, at two rates, the highest that a run reaches; one seed."
)
USES = [
    "reading_data",
    "reading_pairs",
    "Transformer",
    "train_transformer",
    "warm_up",
    "length_batches",
    "pad_batch",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH, STEPS = 64, 4, 128, 6, 128, 250
RATES, WARM_UP, SMOOTHING, EVERY = [0.001, 0.004], 100, 0.1, 10


def run(book, report):
    import torch
    import torch.nn.functional as F

    rows, letters, phonemes = book["reading_data"]()
    pairs = {name: book["reading_pairs"](rows[name], letters, phonemes) for name in ["train", "dev"]}

    @torch.no_grad()
    def dev_loss(model):
        """Nats per symbol of the true readings, without smoothing."""
        nats = symbols = 0
        for batch in book["length_batches"]([len(source) for source, _ in pairs["dev"]], 256):
            source, mask = book["pad_batch"]([pairs["dev"][i][0] for i in batch])
            target, real = book["pad_batch"]([pairs["dev"][i][1] for i in batch])
            target = target.to(book["device"])
            logits = model(source.to(book["device"]), mask.to(book["device"]), target[:, :-1]).transpose(1, 2)
            nats += float(F.cross_entropy(logits, target[:, 1:], ignore_index=0, reduction="sum"))
            symbols += int(real[:, 1:].sum())
        return nats / symbols

    def train(pre_norm, warm_up_steps, rate, seed):
        torch.manual_seed(seed)
        sizes = len(letters), len(phonemes), D_MODEL, HEADS, D_FF, LAYERS
        model = book["Transformer"](*sizes, pre_norm=pre_norm).to(book["device"])
        peak = max(book["warm_up"](step, STEPS, warm_up_steps) for step in range(1, STEPS + 1))
        curve = []
        book["train_transformer"](
            model, pairs["train"], STEPS, rate / peak, seed, warm_up_steps, SMOOTHING, BATCH,
            watch=lambda step, mean: curve.append(round(mean, 3)), every=EVERY,
        )  # fmt: skip
        return curve, round(dev_loss(model), 4), common.parameters(model)

    cells = []
    for pre_norm in [True, False]:
        for warm_up_steps in [WARM_UP, 0]:
            cell = {"order": "pre" if pre_norm else "post", "warm_up_steps": warm_up_steps, "runs": []}
            for rate in RATES:
                curve, loss, cell["parameters"] = train(pre_norm, warm_up_steps, rate, 0)
                cell["runs"].append({"rate": rate, "seed": 0, "dev_nats": loss, "training_loss": curve})
                report(f"{cell['order']}-norm, {warm_up_steps} steps of warm-up, rate {rate}: dev {loss}")
            cells.append(cell)
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_ff": D_FF,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "steps": STEPS,
        "smoothing": SMOOTHING,
        "curve_every": EVERY,
        "rates": RATES,
        "cells": cells,
    }
