"""Chapter 8's reader with dropout on a random split, at the largest budget: for comparison with published figures."""

from studies import common

ABOUT = (
    "reading aloud with additive attention and dropout on a random split, at the largest of chapter 8's budgets, read "
    "greedily and with a beam; one seed."
)
USES = [
    "reading_data",
    "reading_pairs",
    "load_cmudict",
    "AdditiveAttention",
    "AttentionReader",
    "train_reader",
    "read_greedily",
    "beam_search",
    "reading_errors",
    "errors_by_length",
]

EMBEDDING, HIDDEN, ATTENTION, DROPOUT, BATCH = 64, 256, 128, 0.2, 128
STEPS, RATE, SEED, WIDTH = 6300, 0.004, 0, 4


def run(book, report):
    import torch

    by_family, letters, phonemes = book["reading_data"]()
    rows = common.random_split(book, by_family)
    pairs = book["reading_pairs"](rows["train"], letters, phonemes)

    torch.manual_seed(SEED)
    attention = book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION)
    model = book["AttentionReader"](len(letters), len(phonemes), EMBEDDING, HIDDEN, attention, DROPOUT)
    model.to(book["device"])
    watch = lambda step, mean: report(f"step {step}: {mean:.4f} nats a symbol")  # noqa: E731
    book["train_reader"](model, pairs, STEPS, RATE, SEED, BATCH, watch, 300)

    results = {
        "attention": "additive",
        "split": "random",
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "attention_size": ATTENTION,
        "dropout": DROPOUT,
        "batch_size": BATCH,
        "steps": STEPS,
        "passes": round(STEPS * BATCH / len(pairs), 1),
        "learning_rate": RATE,
        "seed": SEED,
        "beam_width": WIDTH,
        "parameters": common.parameters(model),
    }
    for name in ["dev", "test"]:
        sources = [letters.encode(word) for word in rows[name]["word"]]
        beams = book["beam_search"](model, sources, phonemes, WIDTH)
        for decoding, readings in {
            "greedy": book["read_greedily"](model, sources, phonemes),
            "beam": [beam[0][0] for beam in beams],
        }.items():
            edits, lengths = book["reading_errors"](readings, rows[name]["pronunciations"])
            table = book["errors_by_length"](rows[name]["word"], edits, lengths)
            results[f"{name}, {decoding}"] = {
                "word_error": common.word_error(edits),
                "phoneme_error": common.phoneme_error(edits, lengths),
                **{key: values.tolist() for key, values in table.items()},
            }
            report(f"{name}, {decoding}: {results[f'{name}, {decoding}']['word_error']}")
    return results
