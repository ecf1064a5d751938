"""Chapter 7's definitions: the encoder-decoder, its training, greedy and beam decoding, and how errors are counted."""

import ast
import itertools
import math
import random

import numpy as np
import pytest
import torch

from tools import notebooks as nb


@pytest.fixture(scope="module")
def toy(book):
    """Two letters in, two phonemes out, and a reader whose weights are large enough to have opinions."""
    vocabulary = book["Vocabulary"]("ab")
    torch.manual_seed(0)
    model = book["EncoderDecoder"](len(vocabulary), len(vocabulary), 4, 6, 3).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 1)
    sources = [vocabulary.encode(word) for word in ["ab", "abba", "b", "aab"]]
    return vocabulary, model, sources


def log_probability(model, source, ids):
    """Of the target ids after their start mark, given the source, by teacher forcing."""
    source, ids = torch.tensor([source]), torch.tensor([ids])
    with torch.no_grad():
        bets = model(source, source > 0, ids[:, :-1]).log_softmax(-1)
    return bets.gather(-1, ids[:, 1:, None]).sum().item()


# ---------------------------------------------------------------- the data


def test_the_data_are_the_split_and_the_vocabularies_of_its_training_words(book, split):
    rows, letters, phonemes = book["reading_data"]()
    assert rows == split and list(rows) == ["train", "dev", "test"]
    assert letters.symbols[3:] == sorted(set("".join(split["train"]["word"])))
    said = {p for listed in split["train"]["pronunciations"] for answer in listed for p in answer.split()}
    assert phonemes.symbols[3:] == sorted(said) and len(phonemes) == 42


def test_vocabularies_know_the_training_words_only(book, monkeypatch):
    class Rows(dict):
        def __getitem__(self, key):
            return dict(self) if key == slice(None) else super().__getitem__(key)

    parts = {"train": (["ab"], [["A B", "A X"]]), "dev": (["cd"], [["C D"]]), "test": (["e"], [["E"]])}
    data = {name: Rows(word=words, pronunciations=listed) for name, (words, listed) in parts.items()}
    monkeypatch.setitem(book, "load_cmudict", lambda: "all of it")
    monkeypatch.setitem(book, "split_by_family", lambda dataset: data if dataset == "all of it" else None)
    rows, letters, phonemes = book["reading_data"]()
    assert letters.symbols[3:] == ["a", "b"] and phonemes.symbols[3:] == ["A", "B", "X"]
    assert rows == {name: dict(part) for name, part in data.items()}


def test_each_listed_pronunciation_makes_a_pair(book):
    letters, phonemes = book["Vocabulary"]("abc"), book["Vocabulary"](["AA", "B", "K"])
    rows = {"word": ["cab", "a", "bc"], "pronunciations": [["K AA B", "K B"], ["AA"], ["B K"]]}
    pairs = book["reading_pairs"](rows, letters, phonemes)
    assert pairs == [
        ([1, 5, 3, 4, 2], [1, 5, 3, 4, 2]),
        ([1, 5, 3, 4, 2], [1, 5, 4, 2]),
        ([1, 3, 2], [1, 3, 2]),
        ([1, 4, 5, 2], [1, 4, 5, 2]),
    ]
    assert book["reading_pairs"]({"word": [], "pronunciations": []}, letters, phonemes) == []
    for word, answer, unknown in [("cad", "K", "'d'"), ("cab", "K X", "'X'")]:
        with pytest.raises(ValueError, match=f"unknown symbol {unknown}"):
            book["reading_pairs"]({"word": [word], "pronunciations": [[answer]]}, letters, phonemes)


# ---------------------------------------------------------------- edit distance and error rates


@pytest.mark.parametrize(
    "a, b, distance",
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("abcd", "bcde", 2),  # one off the front and one on the back: no place agrees
        ("ab", "ba", 2),  # an exchange counts as two
        ("intention", "execution", 5),
    ],
)
def test_edit_distance_of_known_pairs(book, a, b, distance):
    assert book["edit_distance"](list(a), list(b)) == distance


def test_edit_distance_compares_symbols_and_not_letters(book):
    assert book["edit_distance"]("N AY T".split(), "K N IH G T".split()) == 3
    assert book["edit_distance"](["AY"], ["EY"]) == 1
    assert book["edit_distance"](("N", "AY"), ["N", "AY"]) == 0


@pytest.mark.parametrize("score", ["edit_distance", "misread_positions"])
def test_a_string_is_no_sequence_of_symbols(book, score):
    for pair in [("N AY T", ["N"]), (["N"], "N AY T"), ("", ["N"]), ("N", "N")]:
        with pytest.raises(ValueError, match="expected a list of symbols such as N AY T, not '"):
            book[score](*pair)
    with pytest.raises(ValueError, match="expected a list of symbols such as N AY T, not 'N AY T'"):
        book["reading_errors"](["N AY T"], [["N AY T"]])
    with pytest.raises(ValueError, match="expected a list of pronunciations a word, not 'N AY T'"):
        book["reading_errors"]([["N", "AY", "T"]], ["N AY T"])


def brute_force(a, b):
    """By the definition: the cheapest of dropping from either or pairing the first two."""
    if not a or not b:
        return len(a) + len(b)
    pair = brute_force(a[1:], b[1:]) + (a[0] != b[0])
    return min(pair, brute_force(a[1:], b) + 1, brute_force(a, b[1:]) + 1)


def test_edit_distance_against_brute_force(book):
    lots = random.Random(0)
    for _ in range(300):
        a, b = (lots.choices("abc", k=lots.randrange(6)) for _ in range(2))
        assert book["edit_distance"](a, b) == brute_force(a, b), (a, b)


def test_edit_distance_is_a_distance(book):
    lots, distance = random.Random(1), book["edit_distance"]
    for _ in range(300):
        a, b, c = (lots.choices("ab", k=lots.randrange(7)) for _ in range(3))
        assert distance(a, b) == distance(b, a)
        assert (distance(a, b) == 0) == (a == b)
        assert distance(a, c) <= distance(a, b) + distance(b, c)
        assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))


def test_any_listed_pronunciation_counts(book):
    readings = [["B"], ["A"], ["B", "C"], [], ["A", "B", "D"]]
    listed = [["A", "B"], ["A", "B"], ["A", "B C D"], ["A B", "C"], ["A B C D", "A X"]]
    edits, lengths = book["reading_errors"](readings, listed)
    assert edits.tolist() == [0, 0, 1, 1, 1]
    assert lengths.tolist() == [1, 1, 3, 1, 4]  # of the pronunciation that is nearest


@pytest.mark.parametrize(
    "readings, listed",
    [([], []), ([["A"]], []), ([], [["A"]]), ([["A"], ["B"]], [["A"]]), ([["A"], ["B"]], [["A"], []])],
)
def test_what_cannot_be_scored_is_refused(book, readings, listed):
    with pytest.raises(ValueError, match="cannot score"):
        book["reading_errors"](readings, listed)


@pytest.mark.parametrize(
    "reading, answer, places",
    [
        ("abc", "abc", []),
        ("axc", "abc", [1]),
        ("ac", "abc", [1]),  # b was left out
        ("abc", "ab", [1]),  # a symbol too many is put down to the place before it
        ("xab", "ab", [0]),  # or to the first
        ("", "abc", [0, 1, 2]),
        ("bcde", "abcd", [0, 3]),
        ("abxyc", "abc", [1]),
    ],
)
def test_misread_places_of_known_pairs(book, reading, answer, places):
    assert book["misread_positions"](list(reading), list(answer)) == places


def test_misread_places_agree_with_the_distance(book):
    """No place is misread exactly where nothing is; never more places than edits; long enough an answer loses none."""
    lots = random.Random(2)
    for _ in range(300):
        reading = lots.choices("abc", k=lots.randrange(7))
        answer = lots.choices("abc", k=lots.randrange(1, 7))
        places, distance = book["misread_positions"](reading, answer), book["edit_distance"](reading, answer)
        assert places == sorted(set(places)) and all(0 <= place < len(answer) for place in places)
        assert len(places) <= distance and (not places) == (distance == 0)
        if len(reading) == len(answer) and distance == sum(a != b for a, b in zip(reading, answer)) == 1:
            assert places == [next(i for i, (a, b) in enumerate(zip(reading, answer)) if a != b)]


def test_misread_places_need_an_answer(book):
    with pytest.raises(ValueError, match="no phoneme"):
        book["misread_positions"](["A"], [])


def test_errors_by_length_are_sums_over_the_words(book):
    words = ["ab", "abc", "abd", "abcd", "abcdefghijklmno"]
    edits, lengths = np.array([5, 0, 2, 1, 7]), np.array([9, 3, 2, 4, 9])
    table = book["errors_by_length"](words, edits, lengths, shortest=3, longest=5)
    assert table["letters"].tolist() == [3, 4, 5]
    assert table["words"].tolist() == [2, 1, 0]
    assert table["wrong"].tolist() == [1, 1, 0]
    assert table["edits"].tolist() == [2, 1, 0]
    assert table["phonemes"].tolist() == [5, 4, 0]
    short = book["errors_by_length"](["ab"], np.array([1]), np.array([2]))
    assert all(len(column) == 12 for column in short.values()) and short["words"].sum() == 0


def test_errors_by_length_cover_the_split(book, split):
    """Widened to all lengths, the sums are those of the whole split."""
    words, listed = split["dev"]["word"], split["dev"]["pronunciations"]
    edits, lengths = book["reading_errors"]([["AH"]] * len(words), listed)
    table = book["errors_by_length"](words, edits, lengths, shortest=1, longest=max(map(len, words)))
    assert table["words"].sum() == len(words) and table["wrong"].sum() == (edits > 0).sum()
    assert table["edits"].sum() == edits.sum() and table["phonemes"].sum() == lengths.sum()


def test_the_null_is_the_share_of_words_with_a_wrong_phoneme(book):
    expected = book["expected_word_error"]
    assert expected(0.0, [1, 5, 20]).tolist() == [0, 0, 0]
    assert expected(1.0, [1, 5]).tolist() == [1, 1]
    np.testing.assert_allclose(expected(0.1, [1, 2, 3]), [0.1, 0.19, 0.271], rtol=1e-12)
    thrown = np.random.default_rng(0).random((100_000, 6)) < 0.1
    assert abs(thrown.any(1).mean() - expected(0.1, 6)) < 0.006


def test_the_fitted_phoneme_error_gives_the_word_error_back(book):
    fit, expected = book["fit_phoneme_error"], book["expected_word_error"]
    lengths = np.array([1, 3, 3, 4, 8])
    for p in (0.0, 0.01, 0.3, 1.0):
        assert abs(fit(expected(p, lengths), lengths) - p) < 1e-4
    assert (
        abs(fit([30, 60], [2, 5], [100, 100]) - fit(np.repeat([1, 0, 1, 0], [30, 70, 60, 40]), [2] * 100 + [5] * 100))
        < 1e-6
    )
    assert fit([0, 0], [3, 4]) < 1e-4 and fit([1, 1], [3, 4]) > 1 - 1e-4
    for nothing in (([], []), ([0], [3], [0])):
        with pytest.raises(ValueError, match="no word"):
            fit(*nothing)


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize("bidirectional", [True, False])
def test_shapes_and_the_width_of_the_context(book, bidirectional):
    model = book["EncoderDecoder"](9, 7, 4, 6, 3, bidirectional)
    source = torch.tensor([[1, 3, 4, 2], [1, 5, 2, 0]])
    state, context = model.start(source, source > 0)
    assert state.shape == (2, 6) and context.shape == (2, 3)
    logits = model(source, source > 0, torch.tensor([[1, 3, 4], [1, 5, 0]]))
    assert logits.shape == (2, 3, 7)


def test_everything_passes_through_the_context(book, toy):
    """With one context for all words, all words are read alike; and the context is as wide as it says."""
    vocabulary, model, sources = toy
    ids = torch.tensor([[1, 3, 4]])
    read = {}
    for source in sources:
        source = torch.tensor([source])
        state, context = model.start(source, source > 0)
        fixed = torch.zeros(1, 3)
        read[tuple(source[0].tolist())] = model.advance(ids, (torch.tanh(model.initial(fixed)), fixed))[0]
        torch.testing.assert_close(state, torch.tanh(model.initial(context)))
    first, *others = read.values()
    assert all(torch.equal(first, other) for other in others)


def test_the_context_is_read_at_every_step(book, toy):
    """Another context at a late step, with the same state, changes the bets of that step."""
    _, model, sources = toy
    source = torch.tensor([sources[0]])
    state = model.start(source, source > 0)
    _, (s, c) = model.advance(torch.tensor([[1, 3]]), state)
    one, other = (model.advance(torch.tensor([[4]]), (s, context))[0] for context in (c, c + 1))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_words_bets_do_not_depend_on_its_batch_mates(book, toy):
    vocabulary, model, sources = toy
    source, mask = book["pad_batch"](sources)
    assert not mask.all()
    ids, _ = book["pad_batch"]([[1, 3, 4, 3], [1, 4], [1, 3, 3], [1]])
    with torch.no_grad():
        together = model(source, mask, ids)
        for row, (one, target) in enumerate(zip(sources, ids)):
            alone = model(torch.tensor([one]), torch.tensor([one]) > 0, target[None])
            torch.testing.assert_close(together[row], alone[0], rtol=1e-5, atol=1e-5)
        filled = source.masked_fill(~mask, 3)  # what stands in the padding is never read
        torch.testing.assert_close(model(filled, mask, ids), together, rtol=0, atol=0)
        states, _ = model.encoder(source, mask)
        assert (states[~mask] == 0).all() and (states[mask] != 0).any(1).all()


def test_both_directions_are_read(book):
    """Each half of the last states hears both ends of the word: the first letter and the last."""
    torch.manual_seed(1)
    encoder = book["Encoder"](9, 4, 3)
    with torch.no_grad():
        base, first, last = (
            encoder(torch.tensor([ids]), torch.ones(1, 4, dtype=torch.bool))
            for ids in ([3, 4, 5, 6], [7, 4, 5, 6], [3, 4, 5, 7])
        )
    assert base[0].shape == (1, 4, 6) and base[1].shape == (1, 6)
    for changed in (first, last):
        assert (changed[1] - base[1]).abs()[0].view(2, 3).amax(1).min() > 1e-4
    torch.testing.assert_close(base[1][0, :3], base[0][0, -1, :3])  # forwards: after the last letter
    torch.testing.assert_close(base[1][0, 3:], base[0][0, 0, 3:])  # backwards: after the first
    assert (last[0] - base[0])[0, 0, :3].abs().max() == 0 < (last[0] - base[0])[0, 0, 3:].abs().max()


def test_teacher_forcing_equals_one_step_at_a_time(book, toy):
    _, model, sources = toy
    source, mask = book["pad_batch"](sources)
    ids = torch.tensor([[1, 3, 4, 4, 3]] * 4)
    with torch.no_grad():
        whole = model(source, mask, ids)
        state = model.start(source, mask)
        for t in range(ids.shape[1]):
            logits, state = model.advance(ids[:, t : t + 1], state)
            torch.testing.assert_close(logits[:, 0], whole[:, t], rtol=1e-5, atol=1e-6)
        _, several = model.advance(ids, model.start(source, mask))
        for part, other in zip(several, state):
            torch.testing.assert_close(part, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 512])
def test_forced_log_probabilities_are_those_of_single_steps(book, toy, batch_size):
    """Of every true symbol after the start mark, end included, padding left out, in the order given."""
    _, model, sources = toy
    pairs = list(zip(sources, [[1, 3, 4, 2], [1, 2], [1, 4, 4, 4, 4, 2], [1, 3, 2]]))
    scored = book["forced_log_probabilities"](model, pairs, batch_size=batch_size)
    assert [len(row) for row in scored] == [len(target) - 1 for _, target in pairs]
    for (source, target), row in zip(pairs, scored):
        source = torch.tensor([source])
        state, steps = model.start(source, source > 0), []
        with torch.no_grad():
            for now, following in zip(target, target[1:]):
                logits, state = model.advance(torch.tensor([[now]]), state)
                steps.append(logits[0, 0].log_softmax(-1)[following].item())
        np.testing.assert_allclose(row, steps, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="empty data"):
        book["forced_log_probabilities"](model, [])


def test_a_bet_sees_no_later_phoneme(book, toy):
    _, model, sources = toy
    source = torch.tensor([sources[1]])
    with torch.no_grad():
        one, other = (model(source, source > 0, torch.tensor([ids])) for ids in ([1, 3, 4, 3], [1, 3, 3, 4]))
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_dropout_is_off_in_evaluation_and_reaches_every_part(book, toy):
    vocabulary, _, sources = toy
    torch.manual_seed(2)
    model = book["EncoderDecoder"](5, 5, 8, 12, 6, dropout=0.5)
    source, mask = book["pad_batch"](sources)
    ids, given = torch.tensor([[1, 3]] * 4), {"encoder": [], "decoder": []}
    for name, part in (("encoder", model.encoder), ("decoder", model)):
        note = given[name].append
        part.dropout.register_forward_hook(lambda module, inputs, output, note=note: note(tuple(inputs[0].shape)))
    assert not torch.allclose(model(source, mask, ids), model(source, mask, ids))
    S = source.shape[1]  # embeddings and states of the letters; embeddings and mixtures of the phonemes
    assert given == {"encoder": 2 * [(4, S, 8), (4, S, 12)], "decoder": 2 * [(4, 2, 8), (4, 2, 12)]}
    model.eval()
    torch.testing.assert_close(model(source, mask, ids), model(source, mask, ids), rtol=0, atol=0)


def test_an_unknown_letter_is_refused(book):
    with pytest.raises(ValueError, match="unknown symbol 'é'"):
        book["Vocabulary"]("abcdef").encode("café")


def test_an_odd_width_cannot_be_shared_by_two_directions(book):
    with pytest.raises(ValueError, match="hidden_size, so it is even, not 7"):
        book["EncoderDecoder"](5, 5, 4, 7, 3)
    model = book["EncoderDecoder"](5, 5, 4, 7, 3, bidirectional=False)
    source = torch.tensor([[1, 3, 2]])
    assert model(source, source > 0, torch.tensor([[1, 3]])).shape == (1, 2, 5)


def test_new_tensors_in_a_reader_say_where_they_live():
    """In `start`, `advance` and `forward` of any class of the chapter, solutions too: a GPU's input is on the GPU."""
    makers = {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros"}
    seen = 0
    for cell in nb.code_cells(nb.read(nb.find_notebook("07"))):
        for node in ast.walk(nb.parse(cell.source)):
            if not (isinstance(node, ast.FunctionDef) and node.name in ("start", "advance", "forward")):
                continue
            for call in ast.walk(node):
                name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
                if name.startswith("torch.") and name.removeprefix("torch.") in makers:
                    seen += 1
                    assert "device" in [keyword.arg for keyword in call.keywords], ast.unparse(call)
    assert seen


# ---------------------------------------------------------------- training


def test_training_learns_to_copy(book):
    """Overfit a tiny task of copying: targets must be shifted by one, and the end of words of any length learned."""
    vocabulary = book["Vocabulary"]("abc")
    words = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("abc", repeat=n)]
    pairs = [(vocabulary.encode(word), vocabulary.encode(word)) for word in words]
    torch.manual_seed(0)
    model = book["EncoderDecoder"](len(vocabulary), len(vocabulary), 16, 32, 32)
    seen = []
    book["train_reader"](
        model, pairs, 350, 0.02, 0, batch_size=13, watch=lambda step, mean: seen.append((step, mean)), every=50
    )
    assert [step for step, _ in seen] == list(range(50, 351, 50))
    assert seen[-1][1] < 0.1 < seen[0][1] and not model.training
    readings = book["read_greedily"](model, [source for source, _ in pairs], vocabulary)
    assert ["".join(reading) for reading in readings] == words


def test_every_symbol_of_a_batch_weighs_the_same(book, monkeypatch):
    """The loss that is differentiated is the batch's sum over real target symbols, divided by their number, smoothed;
    `watch` is given the mean without smoothing, over all symbols since the last call."""
    vocabulary = book["Vocabulary"]("ab")
    pairs = [(vocabulary.encode("ab"), vocabulary.encode(target)) for target in ["a", "abab", "ab", "ba", "abb"]]
    torch.manual_seed(0)
    model = book["EncoderDecoder"](5, 5, 4, 6, 3)
    given, expected = [], []

    def recorded(self, *args, **kwargs):
        given.append(self.item())
        return backward(self, *args, **kwargs)

    def noted(step, mean):
        expected.append(mean)

    backward = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", recorded)
    book["train_reader"](model, pairs, 10, 1e-9, 0, batch_size=2, smoothing=0.0, watch=noted, every=1)
    np.testing.assert_allclose(given, expected, rtol=1e-4)
    assert [len(given), len(expected)] == [10, 10]
    sums = [-log_probability(model, source, target) for source, target in pairs]
    sizes = [len(target) - 1 for _, target in pairs]
    batches = {(sums[i] + sums[j]) / (sizes[i] + sizes[j]) for i in range(5) for j in range(i)}
    batches |= {total / size for total, size in zip(sums, sizes)}
    assert all(min(abs(mean - batch) for batch in batches) < 1e-4 for mean in expected)
    given.clear(), expected.clear()
    book["train_reader"](model, pairs, 6, 1e-9, 0, batch_size=2, smoothing=0.0, watch=noted, every=3)
    for mean in expected:  # three batches hold all five pairs
        assert mean == pytest.approx(sum(sums) / sum(sizes), rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothing_is_pytorchs(book, monkeypatch, smoothing):
    """The smoothed loss of a batch, with padding, equals cross_entropy's; what `watch` is told has none in it."""
    model, losses, told = small_reader(book, loud=20.0), [], []
    backward = torch.Tensor.backward

    def recorded(self, *args, **kwargs):
        losses.append(self.item())
        return backward(self, *args, **kwargs)

    (source, mask), (target, _) = (book["pad_batch"](list(side)) for side in zip(*PAIRS))
    with torch.no_grad():
        logits = model(source, mask, target[:, :-1]).transpose(1, 2)
    expected, plain = (
        torch.nn.functional.cross_entropy(logits, target[:, 1:], ignore_index=0, label_smoothing=s).item()
        for s in (smoothing, 0.0)
    )
    monkeypatch.setattr(torch.Tensor, "backward", recorded)
    options = {"smoothing": smoothing, "watch": lambda step, mean: told.append(mean), "every": 1}
    book["train_reader"](model, PAIRS, 1, 0.0, 0, batch_size=3, **options)
    assert losses == pytest.approx([expected], rel=1e-4) and told == pytest.approx([plain], rel=1e-4)


@pytest.fixture
def steps_of(book, monkeypatch):
    """Trains a reader and returns the learning rate and the gradient of every step."""

    def run(model, pairs, steps, rate, **options):
        notes = []

        class Watched(torch.optim.AdamW):
            def step(self, closure=None):
                group = self.param_groups[0]
                notes.append((group["lr"], torch.cat([p.grad.flatten() for p in group["params"]])))
                return super().step(closure)

        monkeypatch.setattr(torch.optim, "AdamW", Watched)
        book["train_reader"](model, pairs, steps, rate, 0, **options)
        return notes

    return run


def small_reader(book, loud=1.0):
    torch.manual_seed(0)
    model = book["EncoderDecoder"](5, 5, 4, 6, 3)
    with torch.no_grad():
        model.output.weight.mul_(loud)
    return model


PAIRS = [([1, 3, 4, 2], [1, 3, 2]), ([1, 4, 2], [1, 4, 4, 2]), ([1, 3, 3, 2], [1, 4, 2])]


def test_the_rate_rises_over_the_warm_up_and_falls_in_a_line_to_zero(book, steps_of):
    rates = [rate for rate, _ in steps_of(small_reader(book), PAIRS, 10, 0.01, batch_size=2, warm_up=0.4)]
    assert rates == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, *[0.01 * k / 6 for k in (5, 4, 3, 2, 1)]])
    rates = [rate for rate, _ in steps_of(small_reader(book), PAIRS, 20, 0.01, batch_size=2)]
    assert rates[:3] == pytest.approx([0.005, 0.01, 0.01]) and rates[-1] == pytest.approx(0.01 / 18)
    rates = [rate for rate, _ in steps_of(small_reader(book), PAIRS, 3, 0.01, batch_size=2, warm_up=0.0)]
    assert rates == pytest.approx([0.01, 0.01, 0.005])


def test_each_step_starts_with_a_fresh_gradient(book, steps_of):
    (_, first), (_, second) = steps_of(small_reader(book), PAIRS, 2, 0.0, batch_size=3, smoothing=0.0)
    assert 0 < first.norm() < 1  # or clipping would hide the sum
    torch.testing.assert_close(first, second)


def test_a_long_gradient_is_cut_to_length_one_and_keeps_its_direction(book, steps_of):
    model = small_reader(book, loud=50.0)
    ((_, cut),) = steps_of(model, PAIRS, 1, 0.0, batch_size=3, smoothing=0.0)
    model.zero_grad()
    (source, mask), (target, real) = (book["pad_batch"](list(side)) for side in zip(*PAIRS))
    bets = model(source, mask, target[:, :-1]).log_softmax(-1).gather(-1, target[:, 1:, None])[..., 0]
    (-(bets * real[:, 1:]).sum() / real[:, 1:].sum()).backward()
    whole = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert whole.norm() > 2 and float(cut.norm()) == pytest.approx(1, rel=1e-3)
    torch.testing.assert_close(cut, whole / whole.norm(), rtol=1e-3, atol=1e-4)


def test_a_batch_mixes_lengths_and_its_parts_do_not(book, steps_of):
    """Each pair once a pass; batches of any lengths; within a batch, parts of at most 128 of like length."""
    seen = []
    model = small_reader(book).eval()
    model.register_forward_pre_hook(lambda module, inputs: seen.append((inputs[0], inputs[1], module.training)))
    pairs = [([1] + [3] * n + [2], [1] + [4] * k + [2]) for n in (1, 2, 3, 9) for k in range(1, 9)] * 12
    steps_of(model, pairs, 2, 0.0, batch_size=256)
    shapes = [tuple(source.shape) for source, _, _ in seen]
    assert [rows for rows, _ in shapes] == [128, 128, 128] and all(training for _, _, training in seen)
    assert shapes[0][1] == 11  # the last third of the pairs, of all lengths
    assert shapes[1][1] < shapes[2][1] == 11  # short words together, long ones together
    read = [int(n) for _, mask, _ in seen for n in mask.sum(1)]
    assert sorted(read) == sorted(len(source) for source, _ in pairs)
    assert not model.training


def test_the_parts_of_a_batch_add_up_to_one_gradient(book, steps_of):
    """A batch of more than 128 pairs has the gradient of the mean over all its symbols."""
    pairs = [([1] + [3] * (1 + i % 3) + [2], [1] + [4] * (1 + i % 4) + [2]) for i in range(150)]
    model = small_reader(book, loud=0.1)
    ((_, found),) = steps_of(model, pairs, 1, 0.0, batch_size=150, smoothing=0.0)
    model.zero_grad()
    total = sum(
        torch.nn.functional.cross_entropy(
            model(torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool), torch.tensor([target[:-1]]))[0],
            torch.tensor(target[1:]),
            reduction="sum",
        )
        for source, target in pairs
    )
    (total / sum(len(target) - 1 for _, target in pairs)).backward()
    whole = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert whole.norm() < 1
    torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-5)


def test_what_is_given_for_training_decays_weights_apart_from_the_gradient(book):
    """AdamW: at a gradient of zero weights shrink by learning rate times decay, and by no more."""
    model = small_reader(book)
    unused = model.embedding.weight.detach()[4].clone()  # a symbol that no pair holds as an input
    book["train_reader"](model, [([1, 3, 2], [1, 3, 2])], 1, 0.1, 0, warm_up=0.0)
    torch.testing.assert_close(model.embedding.weight.detach()[4], unused * (1 - 0.1 * 0.01))


def test_training_repeats_itself(book):
    vocabulary = book["Vocabulary"]("ab")
    pairs = [(vocabulary.encode(word), vocabulary.encode(word)) for word in ["a", "ab", "b", "ba", "abb"]]
    runs = []
    for seed in [0, 0, 1]:
        torch.manual_seed(0)
        model = book["EncoderDecoder"](5, 5, 4, 6, 3)
        book["train_reader"](model, pairs, 6, 0.01, seed, batch_size=2)
        runs.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_to_train_on_is_refused(book):
    with pytest.raises(IndexError):
        book["train_reader"](book["EncoderDecoder"](5, 5, 4, 6, 3), [], 1, 0.01, 0)


# ---------------------------------------------------------------- decoding


class Recited:
    """A reader that cannot be wrong: the phonemes it says are the letters it is given, or it never stops."""

    def __init__(self, vocabulary, endless=False):
        self.vocabulary, self.endless = vocabulary, endless

    def start(self, source, mask):
        return source, torch.zeros(len(source), dtype=torch.long)

    def advance(self, ids, state):
        source, place = state
        place = place + 1
        following = source.gather(1, place.clamp(max=source.shape[1] - 1)[:, None])  # (B, 1)
        if self.endless:
            following = torch.full_like(following, 3)
        logits = torch.full((len(ids), 1, len(self.vocabulary)), -9.0)
        return logits.scatter(2, following[..., None], 9.0), (source, place)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 512])
def test_every_word_is_read_once_and_in_order(book, batch_size):
    """Whatever the batches, the last and partial one included."""
    vocabulary, lots = book["Vocabulary"]("abc"), random.Random(0)
    words = ["".join(lots.choices("abc", k=lots.randrange(1, 9))) for _ in range(20)]
    sources = [vocabulary.encode(word) for word in words]
    greedy = book["read_greedily"](Recited(vocabulary), sources, vocabulary, batch_size=batch_size)
    beams = book["beam_search"](Recited(vocabulary), sources, vocabulary, 3, batch_size=batch_size)
    assert ["".join(reading) for reading in greedy] == words
    assert ["".join(beam[0][0]) for beam in beams] == words


@pytest.mark.parametrize("longest", [1, 4, 30])
def test_decoding_stops_though_the_end_never_comes(book, longest):
    vocabulary = book["Vocabulary"]("abc")
    sources = [vocabulary.encode(word) for word in ["ab", "abc"]]
    reader = Recited(vocabulary, endless=True)
    assert book["read_greedily"](reader, sources, vocabulary, longest=longest) == [["a"] * longest] * 2
    for beam in book["beam_search"](reader, sources, vocabulary, 2, longest=longest):
        assert all(len(symbols) <= longest for symbols, _ in beam)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_beam_that_keeps_everything_is_exhaustive_search(book, toy, alpha):
    vocabulary, model, sources = toy
    longest = 3
    for source, beam in zip(sources, book["beam_search"](model, sources, vocabulary, 60, alpha, longest=longest)):
        everything = []
        for n in range(longest):
            for symbols in itertools.product("ab", repeat=n):
                score = log_probability(model, source, vocabulary.encode(symbols)) / (n + 1) ** alpha
                everything.append((list(symbols), score))
        everything.sort(key=lambda pair: -pair[1])
        ended = beam[: len(everything)]
        assert [symbols for symbols, _ in ended] == [symbols for symbols, _ in everything]
        np.testing.assert_allclose([score for _, score in ended], [score for _, score in everything], rtol=1e-4)
        assert all(len(symbols) == longest for symbols, _ in beam[len(everything) :])


@pytest.mark.parametrize("width", [1, 2, 5, 60])
def test_the_beam_for_one_word_agrees_with_the_beam_for_many(book, toy, width):
    """The same readings in the same order with the same log probabilities, where all have ended."""
    vocabulary, _, sources = toy
    for seed in range(3):
        torch.manual_seed(seed)
        model = book["EncoderDecoder"](len(vocabulary), len(vocabulary), 4, 6, 3).eval()
        model.output.bias.data[vocabulary.END] += 1.0
        for source, beam in zip(sources, book["beam_search"](model, sources, vocabulary, width)):
            last = book["beam_search_word"](model, source, vocabulary, width)[-1][:width]
            assert all(ids[-1] == vocabulary.END for ids, _ in last)
            assert [vocabulary.decode(ids) for ids, _ in last] == [symbols for symbols, _ in beam]
            np.testing.assert_allclose([total for _, total in last], [score for _, score in beam], rtol=1e-4)


def test_the_beam_for_one_word_is_the_one_by_hand_at_every_step(book, toy):
    vocabulary, model, sources = toy
    for source in sources:
        steps = book["beam_search_word"](model, source, vocabulary, 2, longest=5)
        kept = [[vocabulary.START]]
        for step in steps:
            totals = [total for _, total in step]
            assert totals == sorted(totals, reverse=True)
            ended = [ids for ids in kept if ids[-1] == vocabulary.END]
            grown = [[*ids, i] for ids in kept if ids[-1] != vocabulary.END for i in range(2, len(vocabulary))]
            assert sorted(ids for ids, _ in step) == sorted(ended + grown)
            for ids, total in step:
                assert total == pytest.approx(log_probability(model, source, ids), rel=1e-4, abs=1e-5)
            kept = [ids for ids, _ in step[:2]]
        assert len(steps) == 5 or all(ids[-1] == vocabulary.END for ids in kept)


def test_the_beam_for_one_word_stops_and_refuses(book, toy):
    vocabulary, model, sources = toy
    endless = Recited(vocabulary, endless=True)
    assert len(book["beam_search_word"](endless, sources[0], vocabulary, 1, longest=4)) == 4
    steps = book["beam_search_word"](Recited(vocabulary), sources[1], vocabulary, 1)
    assert vocabulary.decode(steps[-1][0][0]) == list("abba") and len(steps) == 5
    for source, width in ((vocabulary.encode(""), 2), (sources[0], 0)):
        with pytest.raises(ValueError, match="cannot search"):
            book["beam_search_word"](model, source, vocabulary, width)


def beam_by_hand(model, source, vocabulary, width, alpha, longest):
    """One word, one beginning at a time: the K best by log probability over length to the power alpha."""
    beam, bets = [([vocabulary.START], 0.0)], range(vocabulary.END, len(vocabulary))

    def rank(item):
        return item[1] / max(len(item[0]) - 1, 1) ** alpha

    for _ in range(longest):
        grown = [item for item in beam if item[0][-1] == vocabulary.END]
        for ids, total in beam:
            if ids[-1] != vocabulary.END:
                before = log_probability(model, source, ids) if len(ids) > 1 else 0.0
                grown += [([*ids, bet], total + log_probability(model, source, [*ids, bet]) - before) for bet in bets]
        beam = sorted(grown, key=rank, reverse=True)[:width]
    beam.sort(key=lambda item: (item[0][-1] != vocabulary.END, -rank(item)))
    return [(vocabulary.decode(ids), rank((ids, total))) for ids, total in beam]


def test_a_narrow_beam_keeps_the_best_by_the_normalised_score(book):
    vocabulary, different = book["Vocabulary"]("ab"), 0
    sources = [vocabulary.encode(word) for word in ["ab", "abba", "b"]]
    for seed in range(3):
        torch.manual_seed(seed)
        model = book["EncoderDecoder"](len(vocabulary), len(vocabulary), 4, 6, 3).eval()
        found = {}
        for alpha in (0.0, 1.0, 2.0):
            for source, beam in zip(sources, book["beam_search"](model, sources, vocabulary, 2, alpha, longest=4)):
                by_hand = beam_by_hand(model, source, vocabulary, 2, alpha, 4)
                assert [symbols for symbols, _ in beam] == [symbols for symbols, _ in by_hand]
                np.testing.assert_allclose([s for _, s in beam], [s for _, s in by_hand], rtol=1e-4)
            found[alpha] = [symbols for symbols, _ in beam]
        different += len(set(map(str, found.values()))) > 1
    assert different


def test_a_beam_of_one_is_greedy(book):
    vocabulary, lots, different = book["Vocabulary"]("abcd"), random.Random(3), set()
    sources = [vocabulary.encode(lots.choices("abcd", k=lots.randrange(1, 9))) for _ in range(40)]
    for seed in range(4):
        torch.manual_seed(seed)
        model = book["EncoderDecoder"](len(vocabulary), len(vocabulary), 8, 12, 6).eval()
        for parameter in model.parameters():
            parameter.data.normal_(0, 1)
        greedy = book["read_greedily"](model, sources, vocabulary, longest=8)
        beams = book["beam_search"](model, sources, vocabulary, 1, longest=8)
        assert [beam[0][0] for beam in beams] == greedy and all(len(beam) == 1 for beam in beams)
        different |= set(map(tuple, greedy))
    assert len(different) > 20


def test_a_beams_score_is_the_log_probability(book, toy):
    vocabulary, model, sources = toy
    for source, beam in zip(sources, book["beam_search"](model, sources, vocabulary, 5, longest=8)):
        scores = [score for _, score in beam]
        for symbols, score in beam:
            if len(symbols) < 8:
                assert math.isclose(score, log_probability(model, source, vocabulary.encode(symbols)), rel_tol=1e-4)
        ended = [len(symbols) < 8 for symbols, _ in beam]
        assert ended == sorted(ended, reverse=True)
        assert scores[: sum(ended)] == sorted(scores[: sum(ended)], reverse=True)
        assert len({tuple(symbols) for symbols, _ in beam}) == len(beam)


def test_marks_are_never_read_out(book, toy):
    """A reader that bets everything on padding and start mark says something else all the same."""
    vocabulary, model, sources = toy
    kept = model.output.bias.data.clone()
    try:
        model.output.bias.data[:2] = 100.0
        for reading in book["read_greedily"](model, sources, vocabulary, longest=6):
            assert set(reading) <= {"a", "b"}
        for beam in book["beam_search"](model, sources, vocabulary, 3, longest=6):
            assert all(set(symbols) <= {"a", "b"} for symbols, _ in beam)
    finally:
        model.output.bias.data.copy_(kept)


class Stored:
    """A reader that hands out logits it keeps: `table[t]` holds those of step t, for every word."""

    def __init__(self, table):
        self.table = table

    def start(self, source, mask):
        return (torch.zeros(len(source), dtype=torch.long),)

    def advance(self, ids, state):
        (step,) = state
        if (step == step[0]).all():  # a view, which writing into would change
            return self.table[int(step[0])].expand(len(ids), 1, -1), (step + 1,)
        return self.table[step][:, None], (step + 1,)


def test_decoding_leaves_the_models_own_tensors_alone(book):
    vocabulary = book["Vocabulary"]("ab")
    table = torch.tensor([[9.0, 8.0, 0.0, 2.0, 1.0], [9.0, 8.0, 3.0, 2.0, 1.0]]).repeat(3, 1)
    kept, sources = table.clone(), [vocabulary.encode("ab")]
    for _ in range(2):
        assert book["read_greedily"](Stored(table), sources, vocabulary, longest=6) == [["a"]]
        assert torch.equal(table, kept)
        ((best, *_),) = book["beam_search"](Stored(table), sources, vocabulary, 2, longest=6)
        assert best[0] == ["a"] and torch.equal(table, kept)


@pytest.mark.parametrize("width", [4, 17, 40])
def test_beginnings_without_an_end_are_ranked_by_their_score(book, width):
    """Nothing ends: the best of the two symbols' sums come in order, whatever the width of the beam."""
    vocabulary = book["Vocabulary"]("abcdefgh")
    table = torch.linspace(0, 3, 22).sin().view(2, 11) * 3
    table[:, : vocabulary.END + 1] = -math.inf
    (beam,) = book["beam_search"](Stored(table), [vocabulary.encode("a")], vocabulary, width, longest=2)
    gains = table.log_softmax(-1)
    sums = gains[0, 3:, None] + gains[1, None, 3:]
    order = sums.flatten().argsort(descending=True)[:width].tolist()
    assert [symbols for symbols, _ in beam] == [list(f"{'abcdefgh'[i // 8]}{'abcdefgh'[i % 8]}") for i in order]
    np.testing.assert_allclose([score for _, score in beam], sums.flatten()[order], rtol=1e-4)


def test_what_has_ended_comes_before_what_has_not(book):
    """The end is unlikely at both steps, and yet the two readings that ended come first, in order."""
    vocabulary = book["Vocabulary"]("abcd")
    table = torch.tensor([[0.0, 0, -2, 4, 3, 2, 1], [0.0, 0, -8, 4, 3, 2, 1]])
    (beam,) = book["beam_search"](Stored(table), [vocabulary.encode("a")], vocabulary, 30, longest=2)
    readings = [symbols for symbols, _ in beam]
    assert readings[:5] == [[], ["a"], ["b"], ["c"], ["d"]]
    assert len(readings) == 21 and all(len(symbols) == 2 for symbols in readings[5:])
    scores = [score for _, score in beam]
    assert scores[:5] == sorted(scores[:5], reverse=True) and scores[5:] == sorted(scores[5:], reverse=True)
    assert scores[5] > scores[0] > scores[20]


def test_a_readers_score_is_that_of_its_greedy_readings(book):
    """Of the words of the rows, in their order, whatever the batches; the nearest pronunciation counts."""
    vocabulary = book["Vocabulary"]("abc")
    rows = {"word": ["abc", "a", "bb", "cab"], "pronunciations": [["a b c"], ["b", "a b"], ["c", "b b"], ["c a"]]}
    seen = []

    class Counted(Recited):
        def start(self, source, mask):
            seen.append(len(source))
            return super().start(source, mask)

    for batch_size, batches in ((512, [4]), (3, [3, 1])):
        edits, lengths, readings = book["score_reader"](Counted(vocabulary), rows, vocabulary, vocabulary, batch_size)
        assert readings == [list(word) for word in rows["word"]]
        assert edits.tolist() == [0, 1, 0, 1] and lengths.tolist() == [3, 1, 2, 2]
        assert seen == batches
        seen.clear()
    other = book["Vocabulary"]("xyz")
    _, _, readings = book["score_reader"](Recited(other), rows, vocabulary, other)
    assert readings[0] == ["x", "y", "z"]
    with pytest.raises(ValueError, match="unknown symbol 'a'"):
        book["score_reader"](Recited(vocabulary), rows, other, vocabulary)


def test_batch_mates_do_not_change_a_reading(book, toy):
    vocabulary, model, sources = toy
    together = book["beam_search"](model, sources, vocabulary, 3, longest=8)
    for source, beam in zip(sources, together):
        (alone,) = book["beam_search"](model, [source], vocabulary, 3, longest=8)
        assert [symbols for symbols, _ in alone] == [symbols for symbols, _ in beam]
        np.testing.assert_allclose([score for _, score in alone], [score for _, score in beam], rtol=1e-4)
        assert book["read_greedily"](model, [source], vocabulary) == book["read_greedily"](model, [source], vocabulary)


def test_what_cannot_be_read_is_refused(book, toy):
    vocabulary, model, sources = toy
    for read in (book["read_greedily"], lambda *args: book["beam_search"](*args, 2)):
        with pytest.raises(ValueError, match="empty word"):
            read(model, [*sources, vocabulary.encode("")], vocabulary)
        with pytest.raises(ValueError, match="empty data"):
            read(model, [], vocabulary)
    for width in (0, -1):
        with pytest.raises(ValueError, match="at least 1 wide"):
            book["beam_search"](model, sources, vocabulary, width)
