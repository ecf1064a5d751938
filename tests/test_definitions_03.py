"""Chapter 3's definitions: gradient norms, their predictions, clipping, the probe, the adding problem."""

import ast
import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import nn

from tools import notebooks as nb

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def recurrent(kind, D, N, seed=0):
    torch.manual_seed(seed)
    return LAYERS[kind](D, N, batch_first=True).double()


def linear_layer(W):
    """An nn.RNN that is linear: silent inputs and no bias keep its state at zero, where tanh has slope 1."""
    layer = nn.RNN(3, len(W), batch_first=True, bias=False).double()
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.as_tensor(W))
    return layer


# ---------------------------------------------------------------- gradients through time


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("B, T, D, N", [(1, 1, 1, 1), (3, 7, 2, 5), (2, 40, 4, 3)])
def test_unrolled_states_are_those_of_the_layer(book, kind, B, T, D, N):
    layer, x = recurrent(kind, D, N), torch.randn(B, T, D, dtype=torch.float64)
    states = book["unroll"](layer, x)
    assert len(states) == T + 1 and not states[0].any()
    together = torch.stack(states[1:], dim=1)
    out, last = layer(x)
    torch.testing.assert_close(together[..., :N], out, rtol=1e-10, atol=1e-12)
    assert together.shape[2] == (2 * N if kind == "LSTM" else N)
    if kind == "LSTM":
        torch.testing.assert_close(together[:, -1, N:], last[1][0], rtol=1e-10, atol=1e-12)


def test_an_empty_sequence_is_refused(book):
    with pytest.raises(ValueError, match="empty sequence"):
        book["unroll"](recurrent("RNN", 2, 3), torch.zeros(1, 0, 2, dtype=torch.float64))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_an_orthogonal_linear_network_scales_by_its_factor(book, factor):
    W = factor * nn.init.orthogonal_(torch.empty(6, 6, dtype=torch.float64))
    norms = book["gradient_norms"](book["unroll"](linear_layer(W), torch.zeros(4, 12, 3, dtype=torch.float64)))
    assert norms.shape == (16, 13)
    np.testing.assert_allclose(norms, np.tile(factor ** np.arange(13), (16, 1)), rtol=1e-10)


def test_a_linear_network_has_the_mean_square_of_its_powers(book):
    torch.manual_seed(1)
    W = torch.randn(5, 5, dtype=torch.float64) * 0.4
    states = book["unroll"](linear_layer(W), torch.zeros(4000, 6, 3, dtype=torch.float64))
    rms = (book["gradient_norms"](states) ** 2).mean(0)
    exact = [float(torch.linalg.matrix_power(W, k).norm() ** 2) / 5 for k in range(7)]
    np.testing.assert_allclose(rms, exact, rtol=0.05)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradient_norms_against_the_whole_jacobian(book, kind):
    """The mean square over directions is the squared Frobenius norm of J_k over its size (h and c together)."""
    N, T = 3, 4
    layer, x = recurrent(kind, 2, N), torch.randn(1, T, 2, dtype=torch.float64)
    rows = x.expand(20_000, T, 2)  # the same string, as many directions
    parts = 2 if kind == "LSTM" else 1

    def run(state, steps):
        given = [p.contiguous() for p in state[None].chunk(parts, dim=2)]
        last = layer(x[:, steps], tuple(given) if parts == 2 else given[0])[1]
        return torch.cat(last, dim=2)[0] if parts == 2 else last[0]

    states = book["unroll"](layer, rows)
    rms = (book["gradient_norms"](states, directions=1) ** 2).mean(0)
    for k in range(1, T + 1):
        jacobian = torch.autograd.functional.jacobian(
            lambda s, k=k: run(s, slice(T - k, T)), states[T - k][:1].detach()
        ).reshape(parts * N, parts * N)
        np.testing.assert_allclose(rms[k], float(jacobian.norm() ** 2) / (parts * N), rtol=0.05)


def test_gradient_norms_do_not_depend_on_other_rows(book):
    layer, x = recurrent("GRU", 2, 4), torch.randn(3, 9, 2, dtype=torch.float64)
    alone = book["gradient_norms"](book["unroll"](layer, x[:1]), directions=1)
    assert alone.shape == (1, 10) and alone[0, 0] == pytest.approx(1)


def test_predicted_factors_of_a_known_matrix(book):
    W = torch.tensor([[0.0, 2.0], [0.5, 0.0]], dtype=torch.float64)  # singular values 2, 1/2; eigenvalues +1, -1
    factors = book["predicted_factors"](W, torch.zeros(7, 2, dtype=torch.float64))
    assert factors == pytest.approx({"bound": 2.0, "linear": 1.0, "typical": math.sqrt((4 + 0.25) / 2)})
    bent = book["predicted_factors"](W, torch.full((7, 2), math.sqrt(0.5), dtype=torch.float64))
    assert bent["typical"] == pytest.approx(factors["typical"] / 2) and bent["bound"] == factors["bound"]


def test_a_rotation_has_the_size_of_its_complex_eigenvalues(book):
    turn = 0.9 * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)  # eigenvalues 0.9 i and -0.9 i
    assert book["predicted_factors"](turn, torch.zeros(3, 2).double())["linear"] == pytest.approx(0.9)


def test_slopes_are_averaged_as_squares(book):
    states = torch.tensor([[0.0, math.sqrt(0.5)]], dtype=torch.float64)  # slopes 1 and 1/2
    factors = book["predicted_factors"](torch.eye(2, dtype=torch.float64), states)
    assert factors["typical"] == pytest.approx(math.sqrt((1 + 0.25) / 2))


def test_no_gradient_passes_the_bound(book):
    layer = recurrent("RNN", 3, 8, seed=4)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(3)
    states = book["unroll"](layer, torch.randn(5, 20, 3, dtype=torch.float64))
    bound = book["predicted_factors"](layer.weight_hh_l0.detach(), states[-1].detach())["bound"]
    assert (book["gradient_norms"](states) <= bound ** np.arange(21) * (1 + 1e-9)).all()


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_the_factor_per_step_is_the_slope_of_the_mean_logarithm(book, factor):
    heights = np.array([[0.2], [1.0], [7.0]])
    norms = heights * factor ** np.arange(30)
    norms[:, :5] = 1e3  # distances below the start do not count
    assert book["factor_per_step"](norms) == pytest.approx(factor, rel=1e-10)
    assert book["factor_per_step"](norms, start=0) != pytest.approx(factor, rel=1e-2)


def test_rows_of_different_factors_give_their_geometric_mean(book):
    norms = np.array([[0.5], [0.8]]) ** np.arange(30)
    assert book["factor_per_step"](norms) == pytest.approx(math.sqrt(0.5 * 0.8), rel=1e-10)


def test_norms_are_drawn_as_medians_and_bands_on_a_logarithmic_axis(book):
    norms = np.exp(np.random.default_rng(0).normal(-3, 2, (40, 12)))
    axis = Figure().subplots()
    book["plot_gradient_norms"](axis, {"measured": norms}, {"predicted": 0.5}, low=1e-6, high=10)
    measured, predicted = axis.get_lines()
    np.testing.assert_allclose(measured.get_ydata(), np.median(norms, axis=0))
    np.testing.assert_allclose(predicted.get_ydata(), 0.5 ** np.arange(12))
    (band,) = axis.collections
    corners = band.get_paths()[0].vertices
    for distance in range(12):
        heights = corners[corners[:, 0] == distance, 1]
        expected = np.percentile(norms[:, distance], [10, 90])
        np.testing.assert_allclose([heights.min(), heights.max()], expected)
    assert axis.get_yscale() == "log" and axis.get_ylim() == (1e-6, 10)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["measured", "predicted"]
    book["plot_gradient_norms"](bare := Figure().subplots(), {"one": norms, "two": norms})
    assert len(bare.get_lines()) == len(bare.collections) == 2


def test_a_model_has_one_look_and_its_variants_its_colour(book):
    norms = np.ones((3, 5))
    axis = Figure().subplots()
    labels = ["LSTM", "LSTM, forget bias 1", "RNN", "RNN, orthogonal", "something else"]
    book["plot_gradient_norms"](axis, dict.fromkeys(labels, norms), styles={"something else": {"color": "#123456"}})
    lines = dict(zip(labels, axis.get_lines()))
    colours = {label: line.get_color() for label, line in lines.items()}
    assert colours["LSTM"] == colours["LSTM, forget bias 1"] == book["COLOR"]["LSTM"]
    assert colours["RNN"] == colours["RNN, orthogonal"] == book["COLOR"]["RNN"]
    assert colours["something else"] == "#123456"
    for band, colour in zip(axis.collections, colours.values()):
        assert to_hex(band.get_facecolor()[0]) == colour.lower()
    for model in ["LSTM", "RNN"]:
        assert lines[model].get_linestyle() == book["LOOK"][model]["linestyle"]
    dashes = [str(line._dash_pattern) for line in lines.values()]
    assert dashes[0] != dashes[1] and dashes[2] != dashes[3]


# ---------------------------------------------------------------- clipping


@pytest.mark.parametrize("limit", [0.01, 1.0, 5.0])
def test_clipping_keeps_the_direction_and_cuts_the_length(book, limit):
    torch.manual_seed(2)
    gradients = [torch.randn(4, 3, dtype=torch.float64), torch.randn(7, dtype=torch.float64)]
    clipped = book["clip_by_norm"](gradients, limit)
    long, short = (torch.cat([g.flatten() for g in group]) for group in (gradients, clipped))
    assert float(torch.dot(long, short) / long.norm() / short.norm()) == pytest.approx(1)
    assert float(short.norm()) == pytest.approx(min(limit, float(long.norm())))
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for p, g in zip(parameters, gradients):
        p.grad = g.clone()
    nn.utils.clip_grad_norm_(parameters, limit)
    for p, g in zip(parameters, clipped):
        torch.testing.assert_close(p.grad, g, rtol=1e-4, atol=1e-8)


def test_clipping_leaves_short_and_zero_gradients_and_knows_no_limit(book):
    short = [np.array([0.3, -0.4])]
    assert book["clip_by_norm"](short, 1.0)[0] is not None
    np.testing.assert_array_equal(book["clip_by_norm"](short, 1.0)[0], short[0])
    np.testing.assert_array_equal(book["clip_by_norm"]([np.zeros(3)], 1.0)[0], np.zeros(3))
    np.testing.assert_array_equal(book["clip_by_norm"]([np.array([1e9, 0])], math.inf)[0], [1e9, 0])
    with pytest.raises(ValueError, match="must be positive"):
        book["clip_by_norm"](short, 0)


# ---------------------------------------------------------------- the probe


def letters(M, T, seed=0):
    return torch.tensor(np.random.default_rng(seed).integers(3, 30, (M, T)))


def test_the_probe_reads_what_is_there_and_guesses_what_is_not(book):
    ids = letters(600, 16)
    table = torch.randn(30, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    now = table[ids]
    two_back = torch.cat([torch.zeros(600, 2, 40, dtype=torch.float64), now[:, :-2]], dim=1)
    shares = book["recall_probe"](torch.cat([now, two_back], dim=2), ids, [0, 1, 2, 5])
    assert shares[0] > 0.999 and shares[2] > 0.999
    assert abs(shares[1] - 1 / 27) < 0.02 and abs(shares[3] - 1 / 27) < 0.02


def test_the_probe_is_scored_on_other_sequences_than_it_was_fitted_on(book):
    """A state that names the sequence lets a probe learn its own half by heart and helps nowhere else."""
    M, T = 40, 6
    ids = letters(M, T, seed=3)
    states = torch.zeros(M, T, M * T, dtype=torch.float64)
    for m in range(M):
        for t in range(T):
            states[m, t, m * T + t] = 1.0
    share = book["recall_probe"](states, ids, [0])[0]
    assert share < 0.2


def test_a_probe_past_the_first_letter_is_refused(book):
    with pytest.raises(ValueError, match="reaches past"):
        book["recall_probe"](torch.zeros(4, 5, 3), letters(4, 5), [0, 5])


@pytest.mark.parametrize(
    "states, ids", [((4, 5, 3), (4, 6)), ((4, 5, 3), (5, 5)), ((4, 5), (4, 5)), ((1, 5, 3), (1, 5))]
)
def test_the_probe_refuses_states_of_other_sequences_and_a_single_one(book, states, ids):
    with pytest.raises(ValueError, match=r"expected states \(M, T, N\) and ids \(M, T\)"):
        book["recall_probe"](torch.zeros(states), letters(*ids), [0])


# ---------------------------------------------------------------- the adding problem


@pytest.mark.parametrize("length", [2, 3, 10, 41])
def test_adding_batch(book, length):
    x, y = book["adding_batch"](20_000, length, np.random.default_rng(1))
    assert x.shape == (20_000, length, 2) and y.shape == (20_000,) and x.dtype == y.dtype == torch.float32
    values, marks = x.unbind(2)
    half = length // 2
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    assert (marks[:, :half].sum(1) == 1).all() and (marks[:, half:].sum(1) == 1).all()
    torch.testing.assert_close((values * marks).sum(1), y)
    assert 0 <= values.min() and values.max() <= 1 and abs(float(values.mean()) - 0.5) < 0.01
    if length >= 10:
        where = marks[:, :half].argmax(1).bincount(minlength=half) / 20_000
        assert (where - 1 / half).abs().max() < 0.02
    assert abs(float(((y - 1) ** 2).mean()) - 1 / 6) < 0.005
    assert abs(float(y.mean()) - 1) < 0.01


@pytest.mark.parametrize("batch, length", [(4, 1), (0, 10)])
def test_adding_batch_refuses_nonsense(book, batch, length):
    with pytest.raises(ValueError, match="length of 2 or more"):
        book["adding_batch"](batch, length, np.random.default_rng(0))


def test_adding_model_answers_from_the_last_state(book):
    torch.manual_seed(0)
    model = book["AddingModel"](nn.GRU(2, 5, batch_first=True))
    x, _ = book["adding_batch"](3, 8, np.random.default_rng(0))
    expected = model.output(model.rnn(x)[1][0])[:, 0]
    torch.testing.assert_close(model(x), expected)


def test_training_on_the_adding_problem_learns_and_stops_when_solved(book):
    torch.manual_seed(0)
    model = book["AddingModel"](nn.GRU(2, 16, batch_first=True))
    errors = book["train_adding"](model, 4, 2000, 0.01, seed=0, every=50)
    assert errors[-1] < 1 / 60 and all(e >= 1 / 60 for e in errors[:-1]) and len(errors) < 40
    x, y = book["adding_batch"](2000, 4, np.random.default_rng(99))
    with torch.no_grad():
        assert float(((model(x) - y) ** 2).mean()) < 1.5 / 60


def test_training_on_the_adding_problem_ends_at_its_budget(book):
    torch.manual_seed(0)
    model = book["AddingModel"](nn.RNN(2, 2, batch_first=True))
    errors = book["train_adding"](model, 30, 40, 1e-5, seed=0, every=20)
    assert len(errors) == 2 and errors[-1] > 1 / 60


def test_a_step_has_one_batchs_gradient_and_is_scored_on_fresh_examples(book):
    """At a rate of nearly nothing: what is left in the end is the last batch's gradient, cut, and no sum over steps."""
    torch.manual_seed(0)
    model = book["AddingModel"](nn.GRU(2, 4, batch_first=True))
    errors = book["train_adding"](model, 6, 3, 1e-12, seed=5, batch_size=8, every=1)
    generator = np.random.default_rng([5, 6])
    (x_test, y_test), *batches = [book["adding_batch"](n, 6, generator) for n in (1000, 8, 8, 8)]
    with torch.no_grad():
        assert errors == pytest.approx([float(((model(x_test) - y_test) ** 2).mean())] * 3, rel=1e-5)
    left = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    x, y = batches[-1]
    ((model(x) - y) ** 2).mean().backward()
    fresh = book["clip_by_norm"]([p.grad for p in model.parameters()], 1.0)
    for a, b in zip(left, fresh):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_gradient_is_clipped_as_one_vector(book, monkeypatch):
    """With its length cut to 1, plain gradient descent at rate 1 moves the weights by 1."""
    torch.manual_seed(0)
    model = book["AddingModel"](nn.GRU(2, 4, batch_first=True))
    with torch.no_grad():
        model.output.bias.add_(50)  # far from any answer
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.SGD)
    book["train_adding"](model, 6, 1, 1.0, seed=0)
    moved = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    assert moved.norm().item() == pytest.approx(1, abs=1e-3)


def test_another_problem_is_trained_on_scored_and_solved_at_its_own_mark(book):
    """Its examples are told from the adding problem's by their values of 7; a constant answers it at once."""
    asked = []

    def sevens(batch_size, length, generator):
        asked.append(batch_size)
        return torch.full((batch_size, length, 2), 7.0), torch.zeros(batch_size)

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.tensor(0.1))

        def forward(self, x):
            assert (x == 7).all()
            return self.bias.expand(len(x))

    errors = book["train_adding"](
        Constant(), 4, 20, 1e-9, seed=0, batch_size=8, every=5, make_batch=sevens, solved=0.02
    )
    assert errors == pytest.approx([0.01]) and asked == [1000, 8, 8, 8, 8, 8]
    errors = book["train_adding"](Constant(), 4, 10, 1e-9, seed=0, every=5, make_batch=sevens, solved=0.005)
    assert errors == pytest.approx([0.01, 0.01])


class Recorded(nn.Module):
    """A model that notes at each call whether it is in training mode, and with how many examples."""

    def __init__(self, model):
        super().__init__()
        self.model, self.calls = model, []

    def forward(self, x):
        self.calls.append((self.training, len(x)))
        return self.model(x)


@pytest.mark.parametrize("given", [True, False])
def test_the_adding_model_trains_in_training_mode_and_is_left_in_evaluation_mode(book, given):
    torch.manual_seed(0)
    recorded = Recorded(book["AddingModel"](nn.RNN(2, 2, batch_first=True))).train(given)
    book["train_adding"](recorded, 10, 5, 1e-5, seed=0, batch_size=8, every=2)
    once, twice = [(True, 8)], [(True, 8), (True, 8), (False, 1000)]
    assert recorded.calls == twice + twice + once
    assert not any(part.training for part in recorded.modules())


@pytest.mark.parametrize("chapter", ["02", "03"])
def test_a_cell_that_trains_builds_its_model(chapter):
    """So that it may be run twice. It seeds the generator first, and the name is bound in the same cell or function."""
    trainers = {"train_letter_model", "train_adding"}
    cells = [c for c in nb.code_cells(nb.read(nb.find_notebook(chapter))) if "recap" not in nb.tags(c)]
    found = 0
    for cell in cells:
        if nb.tagged(cell, "define"):
            continue
        for node in ast.walk(nb.parse(cell.source)):
            name = getattr(getattr(node, "func", None), "id", None)
            if name not in trainers:
                continue
            model = node.args[0]
            while not isinstance(model, ast.Name):
                model = model.func if isinstance(model, ast.Call) else model.value
            assert model.id in nb.bound_names(cell.source), f"chapter {chapter}: {model.id} is built elsewhere"
            assert "torch.manual_seed(" in cell.source.split(name)[0], f"chapter {chapter}: {model.id} has no seed"
            found += 1
    assert found >= 1
