"""Twenty passes through the training words: additive attention and the plain encoder-decoder."""

from studies import common

ABOUT = (
    "reading aloud for twenty passes through the training words, with additive attention and with the plain "
    "encoder-decoder, on the split by family; one seed, greedy and with a beam of four."
)
USES = [*common.READING, "EncoderDecoder", "AdditiveAttention", "AttentionReader", "beam_search", "reading_errors"]

STEPS, SEED, BEAM = 4200, 0, 4  # 4,200 batches of 512: twenty passes
HIDDEN, RATE, ATTENTION, SPLIT = common.SIZES["hidden_size"], 0.008, 128, "by family"


def plan(done):
    return [("additive",), ("one vector",)]


def measure(book, kind):
    models, dropout = [], common.SIZES["dropout"]

    def make(n_letters, n_phonemes):
        sizes = n_letters, n_phonemes, common.SIZES["embedding_size"], HIDDEN
        if kind == "additive":
            models.append(
                book["AttentionReader"](*sizes, book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION), dropout)
            )
        else:
            models.append(book["EncoderDecoder"](*sizes, HIDDEN, dropout=dropout))
        return models[0]

    found = common.train_and_read(book, make, STEPS, RATE, SEED, SPLIT)
    letters, phonemes, splits = common.reading_splits(book)
    for name in ["dev", "test"]:
        rows = splits[SPLIT][name]
        beams = book["beam_search"](models[0], [letters.encode(word) for word in rows["word"]], phonemes, BEAM)
        edits, lengths = book["reading_errors"]([beam[0][0] for beam in beams], rows["pronunciations"])
        found[name] |= {"beam_word_error": common.word_error(edits)}
        found[name] |= {"beam_phoneme_error": common.phoneme_error(edits, lengths)}
    return found


def gather(done):
    cells = []
    for (kind,), run in done.items():
        cell = {"reader": kind, "dropout": common.SIZES["dropout"], "split": SPLIT, "parameters": run["parameters"]}
        for part in common.PARTS:
            cell[part] = {key: run[part][key] for key in run[part] if key.endswith("_error")}
            if part == "test":
                cell[part] |= {key: run[part][key] for key in common.COUNTS}
        cells.append(cell)
    about = {"steps": STEPS, "seed": SEED, "learning_rate": RATE, "beam_width": BEAM, "letters": common.LETTERS}
    return common.SIZES | about | {"cells": cells}
