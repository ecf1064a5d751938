"""Chapter 12's Transformer at three training budgets, and chapter 8's attention reader in the same loop."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud with the Transformer at three training budgets, three seeds for the two smaller and one for the "
    "largest, and with chapter 8's additive attention trained by the same loop at the middle one, three seeds; rates "
    "chosen on dev at the middle budget."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "pad_batch",
    "length_batches",
    "AdditiveAttention",
    "AttentionReader",
    "LetterAligner",
    "Transformer",
    "train_transformer",
    "errors_by_length",
    "fit_phoneme_error",
    "paired_bootstrap",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH = 128, 4, 256, 2, 128
EMBEDDING, HIDDEN, ATTENTION = 64, 256, 128
WARM_UP, SMOOTHING = 100, 0.1
MIDDLE, SEEDS = 2100, {700: [0, 1, 2], 2100: [0, 1, 2], 6300: [0]}
RATES = {"Transformer": [0.002, 0.004], "additive attention": [0.002, 0.004]}


def run(book, report):
    import torch

    rows, letters, phonemes = book["reading_data"]()
    pairs = book["reading_pairs"](rows["train"], letters, phonemes)
    sizes = len(letters), len(phonemes)

    @cache
    def train(kind, steps, rate, seed):
        torch.manual_seed(seed)
        if kind == "Transformer":
            model = book["Transformer"](*sizes, D_MODEL, HEADS, D_FF, LAYERS)
        else:
            attention = book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION)
            model = book["AttentionReader"](*sizes, EMBEDDING, HIDDEN, attention)
        model.to(book["device"])
        book["train_transformer"](model, pairs, steps, rate, seed, WARM_UP, SMOOTHING, BATCH)
        return model

    def read(model, name):
        return book["score_reader"](model, rows[name], letters, phonemes)[:2]

    def search(kind):
        def score(rate):
            return read(train(kind, MIDDLE, rate, 0), "dev")[0]

        return common.dev_errors(RATES[kind], score, report, f"{kind}, ")

    wrong, cells = {}, []

    def add(kind, steps, rate):
        cell = {"model": kind, "steps": steps, "learning_rate": rate, "seeds": SEEDS[steps]}
        for seed in SEEDS[steps]:
            model = train(kind, steps, rate, seed)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                common.add_errors(cell.setdefault(name, {}), edits, lengths)
            common.add_sums(book, cell["test"], rows["test"]["word"], edits, lengths)  # of test, read last
            wrong[kind, steps, seed] = edits > 0
            report(f"{kind}, {steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cell["null_phoneme_error"] = common.null_phoneme_error(book, cell["test"])
        cells.append(cell)

    def on_em_letter(model):
        """For each cross-attention head, the share of phonemes whose largest weight lies on EM's letter."""
        fitted = [(word, answer) for word, answer in common.listed(rows["train"]) if len(answer) <= 2 * len(word)]
        aligner = book["LetterAligner"](*zip(*fitted[::15]))
        shares, kept = {}, []
        hooks = [
            layer.cross_attention.register_forward_hook(lambda module, given, result: kept.append(result[1]))
            for layer in model.decoder
        ]
        for name in ["dev", "test"]:
            hits = total = 0
            chosen = [
                (word, answers[0].split())
                for word, answers in zip(rows[name]["word"], rows[name]["pronunciations"])
                if len(answers[0].split()) <= 2 * len(word)
            ]
            for batch in book["length_batches"]([len(word) for word, _ in chosen], 256):
                source, mask = book["pad_batch"]([letters.encode(chosen[i][0]) for i in batch])
                target, _ = book["pad_batch"]([phonemes.encode(chosen[i][1]) for i in batch])
                kept.clear()
                with torch.no_grad():
                    model(source.to(book["device"]), mask.to(book["device"]), target[:, :-1].to(book["device"]))
                peaks = torch.cat(kept, dim=1).argmax(-1).cpu()  # (B, heads of all layers, T)
                for row, i in zip(peaks, batch):
                    word, answer = chosen[i]
                    positions = torch.tensor(aligner.letters(word, answer)) + 1  # after the start mark
                    hits = hits + (row[:, : len(answer)] == positions).sum(1)
                    total += len(answer)
            shares[name] = [round(float(share), 4) for share in hits / total]
        for hook in hooks:
            hook.remove()
        return shares

    rates = {kind: search(kind) for kind in RATES}
    best = {kind: common.lowest(rates[kind]) for kind in RATES}
    for kind in RATES:
        add(kind, MIDDLE, best[kind])
    alignment = on_em_letter(train("Transformer", MIDDLE, best["Transformer"], 0))
    report(f"on EM's letter: {alignment}")
    for steps in SEEDS:
        if steps != MIDDLE:
            add("Transformer", steps, best["Transformer"])
    beyond = [
        book["paired_bootstrap"](wrong["Transformer", MIDDLE, seed], wrong["additive attention", MIDDLE, seed])
        for seed in SEEDS[MIDDLE]
    ]
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_ff": D_FF,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "warm_up_steps": WARM_UP,
        "smoothing": SMOOTHING,
        "additive_attention": {"embedding_size": EMBEDDING, "hidden_size": HIDDEN, "attention_size": ATTENTION},
        "rate_steps": MIDDLE,
        "rates": rates,
        "fitted_on_letters": common.FITTED_ON,
        "letters": common.LETTERS,
        "by_length": common.BY_LENGTH,
        "beyond_additive": [[round(float(value), 4) for value in interval] for interval in beyond],
        "on_em_letter": alignment,
        "cells": cells,
    }
