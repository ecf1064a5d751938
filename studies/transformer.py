"""Chapter 12's Transformer at three training budgets, and chapter 8's attention reader in the same loop."""

ABOUT = (
    "reading aloud with the Transformer at three training budgets, three seeds for the two smaller and one for the "
    "largest, and with chapter 8's additive attention trained by the same loop at the middle one, three seeds; rates "
    "chosen on dev at the middle budget."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "pad_batch",
    "length_batches",
    "AdditiveAttention",
    "AttentionReader",
    "LetterAligner",
    "Transformer",
    "train_transformer",
    "read_greedily",
    "reading_errors",
    "errors_by_length",
    "fit_phoneme_error",
    "paired_bootstrap",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH = 128, 4, 256, 2, 128
EMBEDDING, HIDDEN, ATTENTION = 64, 256, 128
WARM_UP, SMOOTHING = 100, 0.1
MIDDLE, SEEDS = 2100, {700: [0, 1, 2], 2100: [0, 1, 2], 6300: [0]}
RATES = {"Transformer": [0.002, 0.004], "additive attention": [0.002, 0.004]}
LENGTHS, FITTED_ON = range(3, 15), range(4, 7)  # letters of the words drawn; of those that fit the null curve


def run(book, report):
    import torch

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
    pairs = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]
    sizes = len(letters), len(phonemes)

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
        readings = book["read_greedily"](model, [letters.encode(word) for word in rows[name]["word"]], phonemes)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    wrong, cells = {}, []

    def add(kind, steps, rate, models):
        cell = {"model": kind, "steps": steps, "learning_rate": rate, "seeds": SEEDS[steps]}
        for seed in SEEDS[steps]:
            model = models.get(seed) or train(kind, steps, rate, seed)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                part["word_error"].append(round(float((edits > 0).mean()), 4))
                part["phoneme_error"].append(round(float(edits.sum() / lengths.sum()), 4))
            table = book["errors_by_length"](rows[name]["word"], edits, lengths, LENGTHS[0], LENGTHS[-1])
            for key in ["words", "wrong", "edits", "phonemes"]:
                part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
            wrong[kind, steps, seed] = edits > 0
            models[seed] = model
            report(f"{kind}, {steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        used = [LENGTHS.index(n) for n in FITTED_ON]
        counts = [part["words"][i] for i in used]
        phonemes_of = [part["phonemes"][i] / part["words"][i] for i in used]
        p = book["fit_phoneme_error"]([part["wrong"][i] for i in used], phonemes_of, counts)
        cell["null_phoneme_error"] = round(float(p), 5)
        cells.append(cell)
        return models

    def on_em_letter(model):
        """For each cross-attention head, the share of phonemes whose largest weight lies on EM's letter."""
        fitted = [(word, answer) for word, answer in listed if len(answer) <= 2 * len(word)]
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
                    places = torch.tensor(aligner.letters(word, answer)) + 1  # after the start mark
                    hits = hits + (row[:, : len(answer)] == places).sum(1)
                    total += len(answer)
            shares[name] = [round(float(share), 4) for share in hits / total]
        for hook in hooks:
            hook.remove()
        return shares

    rates, searched = {kind: {} for kind in RATES}, {}
    for kind in RATES:
        for rate in RATES[kind]:
            searched[kind, rate] = model = train(kind, MIDDLE, rate, 0)
            rates[kind][rate] = round(float((read(model, "dev")[0] > 0).mean()), 4)
            report(f"{kind}, rate {rate}: {rates[kind][rate]} of dev words wrong after {MIDDLE} steps")
    best = {kind: min(rates[kind], key=rates[kind].get) for kind in RATES}
    for kind in RATES:
        models = add(kind, MIDDLE, best[kind], {0: searched[kind, best[kind]]})
        if kind == "Transformer":
            alignment = on_em_letter(models[0])
            report(f"on EM's letter: {alignment}")
    for steps in SEEDS:
        if steps != MIDDLE:
            add("Transformer", steps, best["Transformer"], {})
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
        "fitted_on_letters": list(FITTED_ON),
        "letters": list(LENGTHS),
        "by_length": "words, wrong, edits and phonemes are sums over the words of each length and over the seeds",
        "beyond_additive": [[round(float(value), 4) for value in interval] for interval in beyond],
        "on_em_letter": alignment,
        "cells": cells,
    }
