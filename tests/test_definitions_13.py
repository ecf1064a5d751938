"""Chapter 13's definitions: subwords, batches by tokens, the training of a translator, BLEU, and the data's message."""

import math
import os
import random
import unicodedata
from collections import Counter

import numpy as np
import pytest
import sacrebleu
import torch
from torch import nn

# ---------------------------------------------------------------- words


def test_words_and_marks_keep_their_spaces(book):
    split = book["split_words"]
    assert split("A man.") == ["▁a", "▁man", "."]
    assert split('  "Hallo",  sagt er ') == ['▁"', "hallo", '"', ",", "▁sagt", "▁er"]
    assert split("T-Shirt, über 20%") == ["▁t", "-", "shirt", ",", "▁über", "▁20", "%"]
    assert split("a _ b^c$") == ["▁a", "▁b", "▁c"], "the marks of Vocabulary become spaces"
    for empty in ["", "   ", "_^$", "▁"]:
        with pytest.raises(ValueError, match="empty text"):
            split(empty)


def test_an_accent_apart_is_put_on_its_letter_and_a_byte_order_mark_is_none(book):
    split = book["split_words"]
    text = "Ein schöner Tag für Ärzte."
    apart = unicodedata.normalize("NFD", text)
    assert apart != text and split(apart) == split(text) and split(apart)[1] == "▁schöner"
    assert split("\ufeffEin Mann.") == ["▁ein", "▁mann", "."] and split("ein\ufeff Mann") == ["▁ein", "▁mann"]
    with pytest.raises(ValueError, match="empty text"):
        split("\ufeff ")
    subwords = book["Subwords"]([text], 0)
    assert subwords.join(subwords.split(apart)) == text.lower()


# ---------------------------------------------------------------- merges


def naive_merge(parts, pair):
    made, i = [], 0
    while i < len(parts):
        if tuple(parts[i : i + 2]) == pair:
            made.append(parts[i] + parts[i + 1])
            i += 2
        else:
            made.append(parts[i])
            i += 1
    return tuple(made)


def naive_merges(counts, n_merges):
    """The same by counting every pair anew after each merge."""
    words, merges = {word: tuple(word) for word in counts}, []
    while len(merges) < n_merges:
        pairs = Counter()
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        words = {word: naive_merge(parts, merges[-1]) for word, parts in words.items()}
    return merges


def test_merge_takes_pairs_from_the_left(book):
    merge = book["merge"]
    assert merge(("a", "a", "a"), ("a", "a")) == ("aa", "a")
    assert merge(("l", "o", "w", "l", "o"), ("l", "o")) == ("lo", "w", "lo")
    assert merge(("a",), ("a", "b")) == ("a",) and merge((), ("a", "b")) == ()
    assert merge(("a", "b", "c"), ("ab", "c")) == ("a", "b", "c"), "a part just made is no part of this pair"
    assert merge(("a", "bc"), ("ab", "c")) == ("a", "bc"), "other parts, though they spell the same"
    generator = random.Random(0)
    for _ in range(300):
        parts = tuple(generator.choice("ab") for _ in range(generator.randint(0, 9)))
        pair = (generator.choice("ab"), generator.choice("ab"))
        assert merge(parts, pair) == naive_merge(parts, pair)


def test_merges_of_the_papers_example(book):
    """Sennrich et al. (2016), section 3.2, without their mark for a word's end."""
    merges = book["learn_merges"]({"low": 5, "lower": 2, "newest": 6, "widest": 3}, 10)
    assert merges[:4] == [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w")] and len(merges) == 10


@pytest.mark.parametrize("seed", range(12))
def test_merges_equal_those_of_counting_anew(book, seed):
    generator = random.Random(seed)
    letters = "ab" if seed % 2 else "abcde"
    counts = {
        "".join(generator.choice(letters) for _ in range(generator.randint(1, 8))): generator.randint(1, 6)
        for _ in range(40)
    }
    assert book["learn_merges"](counts, 30) == naive_merges(counts, 30)


def test_ties_go_by_the_alphabet_and_merging_ends(book):
    assert book["learn_merges"]({"cd": 3, "ab": 3}, 1) == [("a", "b")]
    assert book["learn_merges"]({"abc": 1}, 99) == [("a", "b"), ("ab", "c")], "every word is one part"
    assert book["learn_merges"]({"a": 4}, 5) == [] and book["learn_merges"]({"ab": 4}, 0) == []
    with pytest.raises(ValueError, match="no words"):
        book["learn_merges"]({}, 3)


# ---------------------------------------------------------------- subwords

TEXTS = ["ein mann schläft.", "zwei männer schlafen nicht, ein hund schläft", "hunde! und 20 katzen (alle)"]


def test_every_text_comes_back(book):
    characters = sorted(set("".join(TEXTS)))
    generator = random.Random(1)
    for n_merges in [0, 5, 40, 999]:
        subwords = book["Subwords"](TEXTS, n_merges)
        for _ in range(200):
            text = "".join(generator.choice(characters) for _ in range(generator.randint(1, 30)))
            if not text.strip():
                continue
            pieces = subwords.split(text)
            assert set(pieces) <= subwords.symbols
            assert subwords.join(pieces) == " ".join(text.split())
            assert pieces == subwords.split(text), "a word split before is split alike"
    assert subwords.join(subwords.split("  EIN  Mann ")) == "ein mann"


def test_seen_words_are_whole_and_new_ones_are_parts(book):
    subwords = book["Subwords"](["low " * 5 + "lower lower " + "newest " * 6 + "widest " * 3], 999)
    assert subwords.split("newest low") == ["▁newest", "▁low"]
    parts = subwords.split("lowest")
    assert len(parts) > 1 and set(parts) <= subwords.symbols and "".join(parts) == "▁lowest"
    few = book["Subwords"](["low " * 5 + "lower lower " + "newest " * 6 + "widest " * 3], 2)
    assert few.split("west") == ["▁", "w", "est"]


def test_merges_are_applied_in_the_order_learned(book):
    subwords = book["Subwords"](["ab"], 0)
    subwords.ranks = {("b", "c"): 0, ("a", "b"): 1, ("bc", "d"): 2}
    assert subwords.split_word("abcd") == ("a", "bcd"), "b + c was learned before a + b"
    assert subwords.split_word("abd") == ("ab", "d")


def test_subwords_refuse(book):
    subwords = book["Subwords"](TEXTS, 20)
    with pytest.raises(ValueError, match="never seen in training: q"):
        subwords.split("ein q")
    with pytest.raises(ValueError, match="empty text"):
        subwords.split("  ")
    with pytest.raises(ValueError, match="no words"):
        book["Subwords"]([], 3)


def test_symbols_are_what_a_vocabulary_needs(book):
    subwords = book["Subwords"](TEXTS, 25)
    vocabulary = book["Vocabulary"](subwords.symbols)
    ids = vocabulary.encode(subwords.split("katzen schlafen, männer!"))
    assert subwords.join(vocabulary.decode(ids[1:])) == "katzen schlafen, männer!"


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("seed", range(6))
def test_each_pair_is_in_one_batch_and_batches_fit(book, seed):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 40, (generator.integers(1, 200), 2))
    batches = book["token_batches"](lengths, 120, np.random.default_rng(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) * lengths[batch].max() <= 120 for batch in batches)


def test_batches_are_alike_in_length_full_mixed_and_shuffled(book):
    lengths = np.random.default_rng(0).integers(2, 40, (4000, 2))
    lengths[:, 0] = lengths[:, 1]
    batches = book["token_batches"](lengths, 400, np.random.default_rng(1))
    padding = 1 - lengths.sum() / sum(2 * len(b) * lengths[b].max() for b in batches)
    assert padding < 0.1, "pairs of similar length belong together"
    spread = [lengths[b].max() - lengths[b].min() for b in batches]
    assert 2 <= np.median(spread) <= 5, "lengths up to four apart are mixed, for the noise is below four"
    assert np.mean([len(b) * lengths[b].max() for b in batches]) > 300, "a batch takes as many pairs as fit"
    means = [lengths[b].mean() for b in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3, "the order of the batches is random"
    again = book["token_batches"](lengths, 400, np.random.default_rng(1))
    assert batches == again and batches != book["token_batches"](lengths, 400, np.random.default_rng(2))


def test_pairs_are_sorted_by_the_longer_side(book):
    """Long targets behind short sources belong together as well."""
    lengths = np.random.default_rng(0).integers(2, 40, (4000, 2))
    batches = book["token_batches"](lengths, 400, np.random.default_rng(1))
    longest = lengths.max(1)
    assert max(longest[b].max() - longest[b].min() for b in batches) <= 8


class Dealt:
    """A generator that adds what it is told, and shuffles nothing."""

    def __init__(self, numbers):
        self.numbers = np.array(numbers)

    def random(self, n):
        return self.numbers[:n]

    def permutation(self, n):
        return np.arange(n)


def test_each_batch_is_measured_by_its_own_longest(book):
    """The first is the longest, and in a batch of its own. It must not keep two that fit apart."""
    lengths = [[10, 3], [8, 8], [4, 8], [9, 9]]
    made = book["token_batches"](lengths, 16, Dealt([0, 0.7, 0.8, 0.9]))
    assert made == [[0], [1, 2], [3]]


def test_batches_refuse(book):
    with pytest.raises(ValueError, match="of 10 tokens"):
        book["token_batches"]([[3, 11]], 10, np.random.default_rng(0))
    with pytest.raises(ValueError, match="0 pairs"):
        book["token_batches"]([], 10, np.random.default_rng(0))
    assert book["token_batches"]([[3, 10]], 10, np.random.default_rng(0)) == [[0]]


# ---------------------------------------------------------------- training


class Copier(nn.Module):
    """Predicts a symbol from the one before: enough to learn a cycle. Remembers what it was given."""

    def __init__(self, V=8):
        super().__init__()
        self.table, self.seen = nn.Embedding(V, V), []

    def forward(self, source, mask, ids):
        self.seen.append((source, mask, ids, self.training))
        return self.table(ids)


CYCLE = [[1, *range(3, 3 + n), 2] for n in (2, 3, 4, 5)]


def test_a_translator_learns_a_tiny_set(book):
    torch.manual_seed(0)
    pairs = [(target, target) for target in CYCLE[:3]] * 4
    model = book["Transformer"](9, 9, 16, 2, 32, 1)
    losses = []
    book["train_translator"](
        model, pairs, 150, 0.01, 0, warm_up_steps=20, tokens=60, watch=lambda *x: losses.append(x), every=50
    )
    assert [step for step, _ in losses] == [50, 100, 150] and losses[-1][1] < losses[0][1] - 0.2
    assert not model.training
    words = book["Vocabulary"]("abcdef")
    found = book["read_greedily"](model, [pair[0] for pair in pairs[:3]], words)
    assert found == [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]


def test_the_reported_loss_is_the_smoothed_mean_over_real_symbols(book):
    """With a rate of zero nothing moves, and the first mean can be computed by hand."""
    pairs = [(target, target) for target in CYCLE]
    model, heard = Copier(), []
    book["train_translator"](model, pairs, 1, 0.0, 0, 1, 100, 0.1, lambda *x: heard.append(x), 1)
    log_p = model.table.weight.detach().log_softmax(-1)
    values = [0.9 * log_p[a, b] + 0.1 * log_p[a].mean() for t in CYCLE for a, b in zip(t, t[1:])]
    assert heard[0][1] == pytest.approx(-float(sum(values)) / len(values), abs=1e-5)
    source, mask, ids, training = model.seen[0]
    assert training and ids.shape[1] == max(map(len, CYCLE)) - 1 and (source[~mask] == 0).all()


def test_each_report_is_of_the_batches_since_the_last(book):
    """With a rate of zero, one pair a batch: the second and the fourth report are of two batches each."""
    pairs, model, heard = [(t, t) for t in CYCLE], Copier(), []
    with torch.no_grad():
        model.table.weight.mul_(5)
    log_p = model.table.weight.detach().log_softmax(-1)
    book["train_translator"](model, pairs, 4, 0.0, 0, 1, 7, 0.0, lambda *x: heard.append(x), 2)
    read = [ids[0].tolist() for _, _, ids, _ in model.seen]
    losses = [-np.mean([float(log_p[a, b]) for a, b in zip(ids, [*ids[1:], 2])]) for ids in read]
    assert [step for step, _ in heard] == [2, 4]
    assert [mean for _, mean in heard] == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])], abs=1e-5)


def test_padding_is_not_in_the_loss(book):
    """A short pair beside a long one leaves the row of the padding symbol without a gradient."""
    pairs, model = [(CYCLE[0], CYCLE[0]), (CYCLE[3], CYCLE[3])], Copier()
    before = model.table.weight.detach().clone()
    book["train_translator"](model, pairs, 3, 0.1, 0, 1, 100)
    moved = (model.table.weight.detach() - before * (1 - 0.01 * 0.1) ** 2).abs().max(1).values
    shrunk_only = model.table.weight.detach()[0] / before[0]
    assert torch.allclose(shrunk_only, shrunk_only[0].expand(8), atol=1e-5), "padding was read, and learned from"
    assert moved[1] > 0.05


@pytest.mark.parametrize("warm_up_steps", [1, 10])
def test_the_rate_warms_up_and_falls_along_a_cosine(book, monkeypatch, warm_up_steps):
    rates = []

    class Recorder(torch.optim.AdamW):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recorder)
    book["train_translator"](Copier(), [(CYCLE[0], CYCLE[0])], 40, 0.5, 0, warm_up_steps, 100)
    cosine = [0.5 * (1 + math.cos(math.pi * n / 40)) / 2 for n in range(40)]
    expected = [min(0.5 * (n + 1) / warm_up_steps, c) for n, c in enumerate(cosine)]
    assert rates == pytest.approx(expected)
    assert rates[0] == pytest.approx(0.5 / warm_up_steps) and rates[-1] < 0.002
    assert max(rates) > 0.42


def test_long_gradients_are_clipped(book, monkeypatch):
    norms = []
    clip = nn.utils.clip_grad_norm_
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda p, n: norms.append(n) or clip(p, n))
    book["train_translator"](Copier(), [(CYCLE[0], CYCLE[0])], 2, 0.1, 0, 1, 100)
    assert norms == [1.0, 1.0]


def test_every_pair_is_read_once_before_any_is_read_again(book):
    pairs, model = [(t, t) for t in CYCLE], Copier()
    book["train_translator"](model, pairs, 8, 0.1, 0, 1, 7)  # one pair a batch
    rows = [tuple(ids[0].tolist()) for _, _, ids, _ in model.seen]
    assert len(rows) == 8 and set(rows[:4]) == set(rows[4:]) and len(set(rows)) == 4


def test_a_gradient_is_that_of_one_step_and_of_a_model_in_training(book, monkeypatch):
    """At a rate of zero the same pair gives the same gradient again, and a model in evaluation is woken."""
    gradients = []

    class Recorder(torch.optim.AdamW):
        def step(self, closure=None):
            gradients.append(self.param_groups[0]["params"][0].grad.clone())
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recorder)
    model = Copier().eval()
    with torch.no_grad():
        model.table.weight.mul_(0.1)  # small, so that no gradient is long enough to be clipped
    book["train_translator"](model, [(CYCLE[0], CYCLE[0])], 2, 0.0, 0, 1, 100)
    assert gradients[0].norm() < 0.9 and torch.allclose(gradients[0], gradients[1])
    assert all(training for *_, training in model.seen) and not model.training


def test_training_repeats_with_its_seed_and_needs_pairs(book):
    def trained(seed):
        torch.manual_seed(0)
        model = Copier()
        book["train_translator"](model, [(t, t) for t in CYCLE], 5, 0.1, seed, 1, 7)
        return model.table.weight.detach()

    assert torch.equal(trained(0), trained(0)) and not torch.equal(trained(0), trained(3))
    with pytest.raises(ValueError, match="0 pairs"):
        book["train_translator"](Copier(), [], 5, 0.1, 0)


@pytest.mark.parametrize("target", [[1], [1, 0], [0, 0, 0]])
def test_a_target_with_nothing_to_predict_is_refused(book, target):
    model = Copier()
    with pytest.raises(ValueError, match="nothing to predict"):
        book["train_translator"](model, [(CYCLE[0], CYCLE[0]), (CYCLE[0], target)], 3, 0.1, 0, 1, 100)
    assert not model.seen and torch.isfinite(model.table.weight).all()


# ---------------------------------------------------------------- BLEU


def random_texts(generator, n, longest=14):
    return [[generator.choice("abcdefg") for _ in range(generator.randint(1, longest))] for _ in range(n)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("longest", [3, 14])
def test_bleu_equals_sacrebleus(book, seed, longest):
    generator = random.Random(seed)
    hypotheses = random_texts(generator, 60, longest)
    references = [
        [w if generator.random() < 0.7 else generator.choice("abc") for w in words] + ["x"] * generator.randint(0, 3)
        for words in hypotheses
    ]
    ours = book["bleu"](sum(book["bleu_counts"](h, r) for h, r in zip(hypotheses, references)))
    theirs = sacrebleu.corpus_bleu(
        [" ".join(h) for h in hypotheses],
        [[" ".join(r) for r in references]],
        smooth_method="none",
        tokenize="none",
        force=True,
    )
    assert abs(ours - theirs.score) < 1e-10


def test_bleu_counts_by_hand(book):
    counts = book["bleu_counts"]("the cat the cat on the mat".split(), "the cat is on the mat".split())
    assert counts.tolist() == [5, 7, 3, 6, 1, 5, 0, 4, 7, 6]
    clipped = book["bleu_counts"](["the"] * 7, "the cat is on the mat".split())
    assert clipped[:4].tolist() == [2, 7, 0, 6], "Papineni et al. (2002), section 2.1: two of seven"
    assert book["bleu_counts"](["a", "b"], ["a", "b"]).tolist() == [2, 2, 1, 1, 0, 0, 0, 0, 2, 2]
    assert book["bleu_counts"](["a"], ["a"], longest=1).tolist() == [1, 1, 1, 1]


def test_bleu_counts_refuses_texts_not_yet_cut(book):
    for pair in [("a man", ["a", "man"]), (["a", "man"], "a man"), ("a man", "a man")]:
        with pytest.raises(ValueError, match="list of tokens.*'a man'"):
            book["bleu_counts"](*pair)


def test_bleu_punishes_what_is_short_and_only_that(book):
    words = "a b c d e f g h".split()
    assert book["bleu"](book["bleu_counts"](words, words)) == pytest.approx(100)
    short = book["bleu"](book["bleu_counts"](words[:6], words))
    assert short == pytest.approx(100 * math.exp(1 - 8 / 6))
    long = book["bleu"](book["bleu_counts"]([*words, "z"], words))
    assert long == pytest.approx(100 * (8 / 9 * 7 / 8 * 6 / 7 * 5 / 6) ** 0.25)


def test_bleu_is_zero_without_a_match_and_sums_before_it_divides(book):
    perfect = book["bleu_counts"](list("abcdef"), list("abcdef"))
    nothing = book["bleu_counts"](list("xyzxyz"), list("abcdef"))
    assert book["bleu"](nothing) == 0 and book["bleu"](book["bleu_counts"](list("ab"), list("ab"))) == 0
    assert book["bleu"](perfect + nothing) == pytest.approx(50)
    long = book["bleu_counts"](list("abcdefghijkl"), list("abcdefghijkl"))
    of_sums = book["bleu"](long + nothing)
    assert of_sums == pytest.approx(100 * (12 / 18 * 11 / 16 * 10 / 14 * 9 / 12) ** 0.25)
    assert abs(of_sums - (book["bleu"](long) + book["bleu"](nothing)) / 2) > 5, "no mean of sentences"
    assert np.allclose(book["bleu"](np.stack([perfect, nothing, long])), [100, 0, 100])
    assert book["bleu"](np.zeros(10)) == 0, "nothing said where nothing was to be said"


# ---------------------------------------------------------------- the data


def test_a_wrong_folder_is_named_before_anything_else(book, monkeypatch, tmp_path):
    monkeypatch.setenv("MULTI30K", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit) as stopped:
        book["load_multi30k"]()
    text = str(stopped.value)
    assert "nowhere" in text and "no folder" in text and "go online" in text and "absolute path" in text


LINE = '{"en": "A man.", "de": "Ein Mann."}\n'
SIZES = {"train": 29_000, "val": 1_014, "test": 1_000}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder as large as Multi30k, every pair alike but for each file's first; its name means something to a glob."""
    made = tmp_path / "data [de, en]"
    made.mkdir()
    for name, n in SIZES.items():
        (made / f"{name}.jsonl").write_text(LINE.replace("A man", name) + LINE * (n - 1), encoding="utf-8")
    monkeypatch.setenv("MULTI30K", str(made))
    return made


def stopped(book):
    with pytest.raises(SystemExit) as caught:
        book["load_multi30k"]()
    return str(caught.value)


def test_a_local_copy_is_read(book, folder):
    data = book["load_multi30k"]()
    assert {name: len(data[name]) for name in data} == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert data["train"]["de"][0] == "Ein Mann." and os.environ["MULTI30K"] == str(folder)
    assert [data[name]["en"][0] for name in data] == ["train.", "val.", "test."]


def test_other_files_in_the_folder_are_left_alone(book, folder):
    for name in ["train (1).jsonl", "train-old.jsonl", "test_2017_flickr.jsonl", "settings.json", "train.json"]:
        (folder / name).write_text('{"en": "Another.", "de": 3}\n', encoding="utf-8")
    data = book["load_multi30k"]()
    assert {name: len(data[name]) for name in data} == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert set(data["test"]["en"]) == {"test.", "A man."}


@pytest.mark.parametrize("name", SIZES)
def test_a_missing_file_is_named(book, folder, name):
    (folder / f"{name}.jsonl").unlink()
    text = stopped(book)
    assert f"{name}.jsonl is missing" in text and "go online" in text


@pytest.mark.parametrize(
    "line", [b'{"en": "A m', b'{"en": "A man."}', b'{"en": "A man.", "de": null}', b'{"en": "\xff", "de": "x"}', b"3"]
)
def test_a_damaged_line_is_named(book, folder, line):
    path = folder / "val.jsonl"
    lines = path.read_bytes().splitlines()
    lines[6] = line
    path.write_bytes(b"\n".join(lines))
    text = stopped(book)
    assert "val.jsonl, line 7 is damaged" in text and "go online" not in text


@pytest.mark.parametrize("name, split", [("train", "train"), ("val", "validation"), ("test", "test")])
def test_a_split_that_is_not_whole_is_named(book, folder, name, split):
    path = folder / f"{name}.jsonl"
    for n in [20, 0, SIZES[name] + 1]:
        path.write_text(LINE * n, encoding="utf-8")
        said = stopped(book)
        assert f"split {split} ({name}.jsonl) has {n:,} pairs in place of {SIZES[name]:,}" in said


def test_the_hub_is_asked_for_one_revision_and_what_comes_is_counted(book, monkeypatch):
    asked = []

    def refuse(name, revision):
        asked.append(revision)
        raise ConnectionError(f"no way to {name}")

    monkeypatch.delenv("MULTI30K", raising=False)
    monkeypatch.setattr("datasets.load_dataset", refuse)
    with pytest.raises(SystemExit, match="go online.*MULTI30K.*absolute path.*no way to bentrevett/multi30k"):
        book["load_multi30k"]()
    assert asked and asked[0]
    sent = {"train": [0] * 29_000, "validation": [0] * 1_014, "test": [0] * 1_000}
    monkeypatch.setattr("datasets.load_dataset", lambda name, revision: sent)
    assert book["load_multi30k"]() is sent
    sent["test"] = sent["test"][:-1]
    assert "split test (test.jsonl) has 999 pairs" in stopped(book)
    del sent["validation"]
    assert "split validation (val.jsonl) has 0 pairs" in stopped(book)
