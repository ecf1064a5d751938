"""Chapter 2's definitions: the RNN by hand and in PyTorch, the letter model, the bootstrap."""

import math
import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch import nn

from tools import notebooks as nb

SIZES = [(1, 1, 1), (1, 3, 4), (2, 4, 3), (9, 5, 7), (40, 2, 6)]  # T, D, N


def rnn_parameters(T, D, N, seed=0):
    generator = np.random.default_rng(seed)
    shapes = {"x": (T, D), "h0": (N,), "W_x": (N, D), "W_h": (N, N), "b": (N,), "g": (T, N)}
    return {name: generator.normal(0, 0.5, shape) for name, shape in shapes.items()}


# ---------------------------------------------------------------- NumPy


@pytest.mark.parametrize("T, D, N", SIZES)
def test_gradients_against_finite_differences(book, T, D, N):
    p = rnn_parameters(T, D, N)

    def loss():
        return (p["g"] * book["rnn_forward"](p["x"], p["h0"], p["W_x"], p["W_h"], p["b"])[1:]).sum()

    h = book["rnn_forward"](p["x"], p["h0"], p["W_x"], p["W_h"], p["b"])
    by_hand = book["rnn_backward"](p["x"], h, p["W_h"], p["g"])
    for name in ["W_x", "W_h", "b", "h0"]:
        brute = book["finite_differences"](loss, p[name])
        scale = max(np.linalg.norm(brute), 1e-3)
        assert np.linalg.norm(by_hand[name] - brute) / scale < 1e-6, name


@pytest.mark.parametrize("T, D, N", SIZES)
def test_gradients_against_autograd(book, T, D, N):
    p = rnn_parameters(T, D, N, seed=1)
    h = book["rnn_forward"](p["x"], p["h0"], p["W_x"], p["W_h"], p["b"])
    by_hand = book["rnn_backward"](p["x"], h, p["W_h"], p["g"])
    t = {name: torch.tensor(value, requires_grad=True) for name, value in p.items()}
    state, loss = t["h0"], 0.0
    for x, g in zip(t["x"], t["g"]):
        state = torch.tanh(t["W_x"] @ x + t["W_h"] @ state + t["b"])
        loss = loss + (g * state).sum()
    loss.backward()
    np.testing.assert_allclose(h[-1], state.detach().numpy(), rtol=1e-10, atol=1e-12)
    for name in ["W_x", "W_h", "b", "h0"]:
        np.testing.assert_allclose(by_hand[name], t[name].grad.numpy(), rtol=1e-10, atol=1e-10)


def test_finite_differences_restore_the_parameter_and_know_a_parabola(book):
    w = np.array([[1.0, -2.0], [0.5, 3.0]])
    gradient = book["finite_differences"](lambda: (w**2).sum(), w)
    np.testing.assert_allclose(gradient, 2 * w, rtol=1e-8)
    assert w.tolist() == [[1.0, -2.0], [0.5, 3.0]]


def test_an_empty_sequence_is_refused(book):
    p = rnn_parameters(1, 2, 3)
    with pytest.raises(ValueError, match="empty sequence"):
        book["rnn_forward"](np.zeros((0, 2)), p["h0"], p["W_x"], p["W_h"], p["b"])


def test_softmax_gives_probabilities_whatever_is_added_to_the_logits(book):
    logits = np.array([[2.0, 1.0, 0.0], [1000.0, 999.0, 998.0], [-5.0, 5.0, 0.0]])
    p = book["softmax"](logits)
    np.testing.assert_allclose(p[0], np.exp([2, 1, 0]) / np.exp([2, 1, 0]).sum(), rtol=1e-12)
    np.testing.assert_allclose(p[0], p[1], rtol=1e-12)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(book["softmax"](logits[0]), p[0], rtol=1e-12)


WORDS = [[1, 2], [1, 3, 3, 0, 2], [0, 4, 1, 3, 2, 2, 0, 1, 4, 3, 1, 2]]


def word_parameters(V=5, N=4):
    generator = np.random.default_rng(V)
    shapes = {"W_x": (N, V), "W_h": (N, N), "b": (N,), "W_y": (V, N), "b_y": (V,)}
    return {name: generator.normal(0, 0.7, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("ids", WORDS)
def test_the_loss_and_gradients_of_a_word_against_autograd(book, ids):
    parameters = word_parameters()
    kept = {name: value.copy() for name, value in parameters.items()}
    loss, gradients = book["word_gradients"](parameters, ids)
    t = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    state, expected = torch.zeros(4, dtype=torch.float64), 0.0
    for now, following in zip(ids[:-1], ids[1:]):
        state = torch.tanh(t["W_x"][:, now] + t["W_h"] @ state + t["b"])
        expected = expected - (t["W_y"] @ state + t["b_y"]).log_softmax(0)[following]
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-10)
    assert set(gradients) == set(parameters)
    for name in parameters:
        np.testing.assert_allclose(gradients[name], t[name].grad.numpy(), rtol=1e-10, atol=1e-12)
        assert np.array_equal(parameters[name], kept[name])


@pytest.mark.parametrize("ids", WORDS)
def test_the_gradients_of_a_word_against_finite_differences(book, ids):
    parameters = word_parameters()
    _, gradients = book["word_gradients"](parameters, ids)
    for name, parameter in parameters.items():
        brute = book["finite_differences"](lambda: book["word_gradients"](parameters, ids)[0], parameter)
        assert np.linalg.norm(gradients[name] - brute) / max(np.linalg.norm(brute), 1e-3) < 1e-6, name


@pytest.mark.parametrize("ids", [[], [1]])
def test_a_word_without_a_symbol_to_predict_is_refused(book, ids):
    with pytest.raises(ValueError, match="expected a start mark and symbols after it, not"):
        book["word_gradients"](word_parameters(), ids)


def test_adam_takes_pytorchs_steps(book):
    generator = np.random.default_rng(0)
    parameters = {"W": generator.normal(size=(3, 4)), "b": generator.normal(size=5)}
    tensors = {name: torch.tensor(value.copy(), requires_grad=True) for name, value in parameters.items()}
    moments = {name: np.zeros((2, *value.shape)) for name, value in parameters.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=0.1)
    for step in range(1, 8):
        gradients = {name: generator.normal(0, step, value.shape) for name, value in parameters.items()}
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradients[name])
        optimizer.param_groups[0]["lr"] = 0.1 / step
        optimizer.step()
        book["adam_step"](parameters, gradients, moments, step, 0.1 / step)
        for name, tensor in tensors.items():
            np.testing.assert_allclose(parameters[name], tensor.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_adams_first_step_is_the_learning_rate(book):
    """Against the gradient's sign, however large the gradient is."""
    parameters = {"w": np.zeros(3)}
    book["adam_step"](parameters, {"w": np.array([1e-3, -5.0, 100.0])}, {"w": np.zeros((2, 3))}, 1, 0.01)
    np.testing.assert_allclose(parameters["w"], [-0.01, 0.01, -0.01], rtol=1e-4)


# ---------------------------------------------------------------- PyTorch


def twins(book, D, N, dtype):
    torch.manual_seed(D * 100 + N)
    theirs, ours = nn.RNN(D, N, batch_first=True).to(dtype), book["RNN"](D, N).to(dtype)
    with torch.no_grad():
        ours.W_x.copy_(theirs.weight_ih_l0)
        ours.W_h.copy_(theirs.weight_hh_l0)
        ours.b.copy_(theirs.bias_ih_l0 + theirs.bias_hh_l0)
    assert ours.b.abs().min() > 0
    return theirs, ours


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("B, T, D, N", [(1, 1, 1, 1), (1, 7, 3, 5), (4, 1, 5, 3), (3, 11, 5, 7), (2, 120, 4, 6)])
@pytest.mark.parametrize("given_state", [False, True])
def test_the_cell_equals_nn_rnn(book, B, T, D, N, dtype, tolerance, given_state):
    theirs, ours = twins(book, D, N, dtype)
    x = torch.randn(B, T, D, dtype=dtype)
    h0 = torch.randn(B, N, dtype=dtype).tanh() if given_state else None
    out, last = ours(x, h0)
    reference, reference_last = theirs(x, None if h0 is None else h0[None])
    close = {"rtol": tolerance, "atol": tolerance * 0.1}
    torch.testing.assert_close(out, reference, **close)
    torch.testing.assert_close(last, reference_last[0], **close)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    (reference * weights).sum().backward()
    for mine, other in [(ours.W_x, theirs.weight_ih_l0), (ours.W_h, theirs.weight_hh_l0), (ours.b, theirs.bias_ih_l0)]:
        torch.testing.assert_close(
            mine.grad, other.grad, rtol=tolerance, atol=tolerance * max(1, other.grad.abs().max())
        )


def test_the_cell_refuses_what_it_cannot_read(book):
    layer = book["RNN"](3, 5)
    with pytest.raises(ValueError, match="empty sequence: there is no step to take"):
        layer(torch.zeros(2, 0, 3))
    for shape in [(4, 3), (2, 4, 5)]:
        with pytest.raises(ValueError, match=r"expected x \(B, T, 3\), not"):
            layer(torch.zeros(shape))


def test_our_cell_starts_where_pytorchs_does(book):
    """Uniform within 1 / sqrt(N): the bound is reached and not passed."""
    torch.manual_seed(0)
    for parameter in book["RNN"](40, 64).parameters():
        assert 0.9 / 8 < parameter.abs().max() <= 1 / 8


# ---------------------------------------------------------------- the letter model


@pytest.fixture
def model(book):
    torch.manual_seed(0)
    return book["LetterModel"](30, 8, 12).to(book["device"])


def sequences(book, words):
    vocabulary = book["Vocabulary"]("abcdefghijklmnopqrstuvwxyz'")
    return vocabulary, [vocabulary.encode(word) for word in words]


def test_the_first_loss_is_log_v(book, model):
    _, encoded = sequences(book, ["knight", "though", "queue", "banana"] * 8)
    mean = book["bits_per_letter"](book["word_bits"](model, encoded))
    assert abs(mean - math.log2(30)) < 0.3


def test_padding_pays_nothing_and_changes_nothing(book, model):
    """The bits of a word do not depend on its batch mates."""
    _, encoded = sequences(book, ["a", "knight", "incomprehensibilities"])
    together = book["word_bits"](model, encoded)
    for alone, among in zip((book["word_bits"](model, [s])[0] for s in encoded), together):
        np.testing.assert_allclose(alone, among, atol=1e-5)
    ids, _ = book["pad_batch"](encoded)
    bits, mask = book["symbol_bits"](model, ids.to(book["device"]))
    assert (bits[~mask] == 0).all() and mask.sum(1).tolist() == [len(s) - 1 for s in encoded]


def test_bits_are_the_surprisal_of_the_next_symbol(book, model):
    _, (encoded,) = sequences(book, ["knit"])
    bits = book["word_bits"](model, [encoded])[0]
    for t in range(1, len(encoded)):
        logits = model(torch.tensor([encoded[:t]], device=book["device"]))[0]
        expected = -logits[0, -1].log_softmax(-1)[encoded[t]].item() / math.log(2)
        assert math.isclose(bits[t - 1], expected, abs_tol=1e-5)


def test_word_bits_keep_the_order_given(book, model):
    words = ["through", "a", "banana", "it", "psalm"]
    _, encoded = sequences(book, words)
    scored = book["word_bits"](model, encoded, batch_size=2)
    assert [len(bits) for bits in scored] == [len(word) + 1 for word in words]


@pytest.mark.parametrize(
    "ids",
    [
        torch.zeros(2, 3),
        torch.zeros(2, 3, dtype=torch.int32),
        torch.zeros(3, dtype=torch.int64),
        torch.ones(2, 1, dtype=torch.int64),
        torch.ones(2, 0, dtype=torch.int64),
        [[1, 3, 2]],
        "knight",
    ],
)
def test_symbol_bits_refuses_what_are_no_ids(book, model, ids):
    with pytest.raises(ValueError, match=r"expected ids, int64 \(B, T\) with T at least 2, not"):
        book["symbol_bits"](model, ids.to(book["device"]) if torch.is_tensor(ids) else ids)


@pytest.mark.parametrize("sequences", ["knight", ["knight"], [[1]], [[1, 5, 2], [1]], [[1, 5, 2], []]])
def test_word_bits_refuses_words_and_a_start_mark_alone(book, model, sequences):
    """Beside longer sequences as by itself."""
    with pytest.raises(ValueError, match="expected ids of a start mark and of symbols, not"):
        book["word_bits"](model, sequences)


def test_word_bits_of_nothing_or_of_symbols_are_refused(book, model):
    with pytest.raises(ValueError, match="empty data"):
        book["word_bits"](model, [])
    with pytest.raises(ValueError, match="integer ids"):
        book["word_bits"](model, [["^", "k", "$"]])


def test_the_model_does_not_look_ahead(book, model):
    _, (a, b) = sequences(book, ["knight", "knifes"])
    bits = book["word_bits"](model, [a, b])
    assert np.array_equal(bits[0][:3], bits[1][:3]) and not np.isclose(bits[0][3], bits[1][3])


def test_dropout_acts_on_what_enters_and_leaves_the_layer_and_only_in_training(book):
    """With everything dropped the layer reads zeros and the output sees none of its states, which stay as they are."""
    torch.manual_seed(0)
    model = book["LetterModel"](30, 8, 12, dropout=1.0).to(book["device"]).train()
    ids = torch.tensor([[1, 5, 7], [1, 9, 2]], device=book["device"])
    logits, states, _ = model(ids)
    torch.testing.assert_close(states[0], states[1])  # the inputs are gone
    assert states.abs().max() > 0  # the biases still enter
    torch.testing.assert_close(logits, model.output.bias.expand_as(logits))
    model.eval()
    torch.manual_seed(0)
    plain = book["LetterModel"](30, 8, 12).to(book["device"])
    for found, expected in zip(model(ids), plain(ids)):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(plain.train()(ids)[0], model(ids)[0])  # 0 by default


def test_a_word_can_be_read_in_pieces(book, model):
    _, (encoded,) = sequences(book, ["knight"])
    ids = torch.tensor([encoded], device=book["device"])
    whole, states, last = model(ids)
    assert whole.shape == (1, 8, 30) and states.shape == (1, 8, 12) and last.shape == (1, 1, 12)
    first, _, state = model(ids[:, :3])
    rest, _, end = model(ids[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
    torch.testing.assert_close(end, last)


def test_training_learns_a_rule_and_reports(book):
    """q is always followed by u: a few steps are enough to expect it."""
    vocabulary, encoded = sequences(book, ["qu" + a + b for a in "aeio" for b in "lmnprst"])
    torch.manual_seed(0)
    model, heard = book["LetterModel"](30, 8, 16).to(book["device"]), []
    book["train_letter_model"](model, encoded, 60, 0.02, 0, 14, lambda step, mean: heard.append((step, mean)), every=20)
    assert [step for step, _ in heard] == [20, 40, 60] and heard[0][1] > heard[-1][1]
    assert book["word_bits"](model, [vocabulary.encode("quit")])[0][1] < 0.1


def test_training_repeats_itself(book):
    _, encoded = sequences(book, ["knight", "though", "queue", "banana", "psalm"])

    def trained():
        torch.manual_seed(3)
        model = book["LetterModel"](30, 4, 6).to(book["device"])
        book["train_letter_model"](model, encoded, 5, 0.01, 3, 2)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(trained(), trained())


class Recorded(nn.Module):
    """A model that notes at each call whether it is in training mode."""

    def __init__(self, model):
        super().__init__()
        self.model, self.modes = model, []

    def forward(self, *inputs):
        self.modes.append(self.training)
        return self.model(*inputs)


@pytest.mark.parametrize("given", [True, False])
def test_the_model_trains_in_training_mode_and_is_left_in_evaluation_mode(book, model, given):
    """Whatever it came in, and although it is scored on the way."""
    _, encoded = sequences(book, ["knight", "queue"])
    recorded = Recorded(model).train(given)
    watch = lambda step, mean: book["word_bits"](recorded, encoded)  # noqa: E731
    book["train_letter_model"](recorded, encoded, 3, 1e-3, 0, 2, watch, every=1)
    assert recorded.modes == [True, False] * 3
    assert not any(part.training for part in recorded.modules())


@pytest.mark.parametrize("given", [True, False])
def test_words_are_scored_in_evaluation_mode_and_the_mode_is_put_back(book, model, given):
    _, encoded = sequences(book, ["knight", "queue"])
    recorded = Recorded(model).train(given)
    book["word_bits"](recorded, encoded)
    assert recorded.modes == [False] and recorded.training == given


def test_the_training_cell_may_be_run_twice(book, split):
    """The chapter's own cells, on a few words and for a few steps: the second run gives what the first gave, and the
    untrained network stays untrained."""
    notebook = nb.read(nb.find_notebook("02"))
    cells = [c.source for c in nb.code_cells(notebook) if not nb.is_folded(c) and nb.tagged(c, "define") is None]
    (data,) = (source for source in cells if "split_by_family(load_cmudict())" in source)
    (start,) = (source for source in cells if "untrained = LetterModel(" in source)
    (training,) = (source for source in cells if "train_letter_model(" in source)
    few = random.Random(0).sample(split["train"]["word"], 600)
    alphabet = "abcdefghijklmnopqrstuvwxyz'"
    every = [*few, alphabet, *(f"{letter}{letter}{letter}" for letter in alphabet[:26])]
    rows = Dataset.from_dict({"word": every})
    namespace = {**book, "load_cmudict": lambda: rows, "V": 30}
    exec(data, namespace)
    exec(start, namespace)
    namespace |= {"rnn_steps": 20, "learning_rate": 0.01}
    ids = torch.tensor([namespace["encoded"]["train"][0]], device=book["device"])
    before = namespace["untrained"](ids)[0].detach()
    weights = []
    for _ in range(2):
        exec(training, namespace)
        weights.append(torch.cat([p.detach().flatten() for p in namespace["model"].parameters()]).clone())
    assert torch.equal(*weights)
    assert torch.equal(namespace["untrained"](ids)[0], before)
    assert not torch.allclose(namespace["model"](ids)[0], before, atol=0.1)


def test_the_gradient_is_clipped_as_one_vector(book, monkeypatch):
    """With its length cut to 1, plain gradient descent at rate 1 moves the weights by at most 1."""
    _, encoded = sequences(book, ["knight", "queue"])
    torch.manual_seed(0)
    model = book["LetterModel"](30, 4, 6).to(book["device"])
    with torch.no_grad():
        model.output.weight.mul_(50)  # a loss steep enough to need it
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.SGD)
    book["train_letter_model"](model, encoded, 1, 1.0, 0, 2)
    moved = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    assert abs(moved.norm().item() - 1) < 1e-3


def test_each_step_starts_with_a_fresh_gradient(book):
    """At a rate of nearly nothing, the gradient left by the last step is that of one batch, not a sum over steps."""
    _, encoded = sequences(book, ["incomprehensibility"])
    torch.manual_seed(0)
    model = book["LetterModel"](30, 4, 6).to(book["device"])
    bits, mask = book["symbol_bits"](model, torch.tensor(encoded, device=book["device"]))
    (bits.sum() / mask.sum()).backward()
    fresh = torch.cat([p.grad.flatten() for p in model.parameters()]).clone()
    assert fresh.norm() < 1  # or clipping would hide the sum
    book["train_letter_model"](model, encoded, 4, 1e-12, 0, 1)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in model.parameters()]), fresh)


def test_the_rate_falls_in_a_line_to_zero(book, monkeypatch, model):
    rates = []

    class Watched(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    book["train_letter_model"](model, sequences(book, ["knight", "queue"])[1], 5, 0.1, 0, 2)
    assert rates == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02])


def test_every_symbol_weighs_the_same_and_each_report_is_of_its_own_steps(book, monkeypatch, model):
    """One word a batch, at a rate of nearly nothing: a loss is the word's bits over the symbols of an average word."""
    _, encoded = sequences(book, ["a", "knight", "incomprehensibilities"])
    losses, heard, backward = [], [], torch.Tensor.backward

    def recorded(self, *args, **kwargs):
        losses.append(self.item())
        return backward(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "backward", recorded)
    book["train_letter_model"](model, encoded, 3, 1e-9, 0, 1, lambda step, mean: heard.append(mean), 1)
    bits = book["word_bits"](model, encoded)
    average = np.mean([len(row) for row in bits])
    assert sorted(losses) == pytest.approx(sorted(row.sum() / average for row in bits), rel=1e-4)
    assert sorted(heard) == pytest.approx(sorted(row.mean() for row in bits), rel=1e-4)


def test_a_letter_is_drawn_given_all_before_it(book, model):
    """Drawn nearly without chance, each letter is the likeliest after the whole of the word so far."""
    vocabulary, _ = sequences(book, [])
    with torch.no_grad():
        model.output.weight.mul_(20)  # opinions that depend on the state
        model.output.bias[vocabulary.END] = -1e3  # and no end: a word is as long as allowed
    (word,) = set(book["sample_words"](model, vocabulary, 5, seed=0, temperature=1e-6, longest=12))
    ids = [vocabulary.START]
    while len(ids) <= 12:
        logits = model(torch.tensor([ids], device=book["device"]))[0][0, -1].detach()
        ids.append(3 + int(logits[3:].argmax()))
    assert word == "".join(vocabulary.decode(ids)) and len(word) == 12 and len(set(word)) > 2


def test_impossible_symbols_are_never_drawn(book, model):
    """A model that would stake everything on padding and start marks still writes letters."""
    vocabulary, _ = sequences(book, [])
    with torch.no_grad():
        model.output.bias[[vocabulary.PAD, vocabulary.START]] += 50
    assert np.mean([len(word) for word in book["sample_words"](model, vocabulary, 200, seed=0)]) > 5


def test_samples_are_words_and_repeat_with_the_seed(book, model):
    vocabulary, _ = sequences(book, [])
    first = book["sample_words"](model, vocabulary, 20, seed=1)
    assert first == book["sample_words"](model, vocabulary, 20, seed=1)
    assert first != book["sample_words"](model, vocabulary, 20, seed=2)
    assert all(len(word) <= 30 and not set(word) & set("_^$") for word in first)
    with pytest.raises(ValueError, match="temperature"):
        book["sample_words"](model, vocabulary, 2, seed=1, temperature=0)


@pytest.mark.parametrize("count, longest", [(0, 30), (-1, 30), (2, 0)])
def test_no_word_and_no_letter_cannot_be_drawn(book, model, count, longest):
    vocabulary, _ = sequences(book, [])
    with pytest.raises(ValueError, match="at least 1"):
        book["sample_words"](model, vocabulary, count, seed=0, longest=longest)


def test_a_cold_sample_is_the_likeliest_word(book, model):
    vocabulary, _ = sequences(book, [])
    assert len(set(book["sample_words"](model, vocabulary, 20, seed=1, temperature=1e-4))) == 1


# ---------------------------------------------------------------- the bootstrap


def test_bootstrap_knows_a_constant_difference(book):
    a = np.arange(50.0)
    assert book["paired_bootstrap"](a + 2, a) == pytest.approx((2, 2, 2))


def test_bootstrap_divides_by_the_weights(book):
    difference, low, high = book["paired_bootstrap"]([3, 9], [1, 3], [1, 3])
    assert difference == pytest.approx(2) and low == pytest.approx(2) and high == pytest.approx(2)


def test_bootstrap_interval_has_the_width_of_theory(book):
    """For a mean of n independent differences: 1.96 standard errors on each side."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.1, 1, 2000), np.zeros(2000)
    difference, low, high = book["paired_bootstrap"](a, b)
    expected = 1.96 * a.std() / math.sqrt(2000)
    assert low < difference < high
    assert difference - low == pytest.approx(expected, rel=0.15) and high - difference == pytest.approx(
        expected, rel=0.15
    )


def test_bootstrap_is_paired(book):
    """Noise that both models share leaves no mark on the interval."""
    noise = np.random.default_rng(0).normal(0, 100, 500)
    _, low, high = book["paired_bootstrap"](noise + 1, noise)
    assert high - low < 1e-9


def test_bootstrap_refuses_unequal_lengths(book):
    with pytest.raises(ValueError, match="equally many"):
        book["paired_bootstrap"]([1, 2], [1])
    with pytest.raises(ValueError, match="at least one"):
        book["paired_bootstrap"]([], [])


def test_the_gap_between_models_counts_every_symbol_once(book):
    """Three words of two families: their bits are added up, and divided by all symbols."""
    ours, theirs = [np.array([3.0, 4.0]), np.array([5.0]), np.array([1.0])], [np.ones(2), np.ones(1), np.ones(1)]
    difference, low, high = book["family_gap"](ours, theirs, ["a", "b", "a"])
    assert difference == pytest.approx((13 - 4) / 4)
    assert (low, high) == pytest.approx(((3 + 2 + 0) / 3, 4))  # one family drawn twice


def test_the_gaps_interval_is_over_families(book):
    """Twenty copies of a family are one witness: the interval is as wide as with one copy of each."""
    bits = np.random.default_rng(0).normal(3, 1, 60)
    once = [np.array([b]) for b in bits], [np.array([2.5])] * 60, list(range(60))
    often = tuple([part[i] for i in range(60) for _ in range(20)] for part in once)
    assert book["family_gap"](*often) == pytest.approx(book["family_gap"](*once))


def test_the_gap_refuses_unequal_lengths(book):
    one = [np.ones(3)]
    for wrong in [(one, one * 2, ["a"]), (one * 2, one, ["a"]), (one, one, ["a", "b"])]:
        with pytest.raises(ValueError, match="two scores and a family for each word"):
            book["family_gap"](*wrong)
