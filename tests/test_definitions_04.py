"""Chapter 4's definitions: the LSTM, its insides, the prediction of its gradient norms, and the tally."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

SHAPES = [(1, 1, 1, 1), (1, 7, 3, 5), (4, 1, 5, 3), (3, 11, 5, 7), (2, 120, 4, 6)]  # B, T, D, N


def layer_and_input(B, T, D, N, dtype=torch.float64, seed=0):
    """An nn.LSTM with biases well away from zero, and an input."""
    torch.manual_seed(1000 * seed + 10 * D + N)
    layer, x = nn.LSTM(D, N, batch_first=True).to(dtype), torch.randn(B, T, D, dtype=dtype)
    with torch.no_grad():
        for name in ["bias_ih_l0", "bias_hh_l0"]:
            getattr(layer, name).add_(torch.randn(4 * N, dtype=dtype))
    return layer, x


# ---------------------------------------------------------------- the cell


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("B, T, D, N", SHAPES)
@pytest.mark.parametrize("given_state", [False, True])
def test_the_cell_equals_nn_lstm(book, B, T, D, N, dtype, tolerance, given_state):
    theirs, x = layer_and_input(B, T, D, N, dtype)
    ours = book["lstm_twin"](theirs)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    state = [torch.randn(B, N, dtype=dtype) for _ in range(2)] if given_state else None
    out, (h, c) = ours(inputs[0], None if state is None else tuple(state))
    expected, (h_last, c_last) = theirs(inputs[1], None if state is None else tuple(s[None] for s in state))
    close = {"rtol": tolerance, "atol": tolerance * 0.1}
    assert out.shape == (B, T, N) and h.shape == c.shape == (B, N)
    for mine, other in [(out, expected), (h, h_last[0]), (c, c_last[0])]:
        torch.testing.assert_close(mine, other, **close)
    weights, of_h, of_c = torch.randn_like(out), torch.randn_like(h), torch.randn_like(c)
    ((out * weights).sum() + (h * of_h).sum() + (c * of_c).sum()).backward()
    ((expected * weights).sum() + (h_last[0] * of_h).sum() + (c_last[0] * of_c).sum()).backward()
    pairs = [(ours.W_x, theirs.weight_ih_l0), (ours.W_h, theirs.weight_hh_l0), (ours.b, theirs.bias_ih_l0)]
    for mine, other in [*pairs, (ours.b, theirs.bias_hh_l0), inputs]:
        torch.testing.assert_close(
            mine.grad, other.grad, rtol=tolerance, atol=tolerance * max(1, other.grad.abs().max())
        )


@pytest.mark.parametrize("a, b", list(itertools.combinations(range(4), 2)))
def test_swapped_gates_would_be_seen(book, a, b):
    """Exchange two of the four blocks: the outputs differ by far more than the parity test forgives."""
    theirs, x = layer_and_input(3, 6, 4, 5)
    swapped, order = book["lstm_twin"](theirs), list(range(4))
    order[a], order[b] = b, a
    with torch.no_grad():
        for parameter in swapped.parameters():
            parameter.copy_(torch.cat([parameter.chunk(4)[block] for block in order]))
    assert (swapped(x)[0] - theirs(x)[0]).abs().max() > 1e-2


@pytest.mark.parametrize("block", range(4))
def test_each_gate_matters(book, block):
    """Silence one block: the outputs differ."""
    theirs, x = layer_and_input(3, 6, 4, 5)
    silent = book["lstm_twin"](theirs)
    with torch.no_grad():
        for parameter in silent.parameters():
            parameter[5 * block : 5 * block + 5] = 0
    assert (silent(x)[0] - theirs(x)[0]).abs().max() > 1e-2


def test_gates_are_what_their_names_say(book):
    """Saturated by hand: keep and do not write, write and do not keep, do not show."""
    cell = book["LSTM"](2, 3).double()
    x, c0 = torch.randn(1, 4, 2).double(), torch.tensor([[0.5, -1.0, 2.0]]).double()
    with torch.no_grad():
        cell.W_x.zero_()
        cell.W_h.zero_()
        cell.b.copy_(torch.tensor([-40.0, 40, 0.3, 40]).repeat_interleave(3))
        _, (h, c) = cell(x, (torch.zeros(1, 3).double(), c0))
        torch.testing.assert_close(c, c0)
        torch.testing.assert_close(h, c0.tanh())
        cell.b.copy_(torch.tensor([40.0, -40, 0.3, -40]).repeat_interleave(3))
        out, (_, c) = cell(x, (torch.zeros(1, 3).double(), c0))
        torch.testing.assert_close(c, torch.full((1, 3), math.tanh(0.3)).double())
        assert out.abs().max() < 1e-15


def test_an_empty_sequence_is_refused(book):
    layer, x = layer_and_input(2, 3, 4, 5)
    with pytest.raises(ValueError, match="empty sequence"):
        book["LSTM"](4, 5)(torch.zeros(2, 0, 4))
    with pytest.raises(ValueError, match="empty sequence"):
        book["open_lstm"](layer, x[:, :0])


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5), (2, 3, 4, 1)])
def test_an_input_of_another_shape_is_refused(book, shape):
    layer, _ = layer_and_input(2, 3, 4, 5)
    with pytest.raises(ValueError, match=r"\(B, T, 4\)"):
        book["LSTM"](4, 5).double()(torch.zeros(shape).double())
    with pytest.raises(ValueError, match=r"\(B, T, 4\)"):
        book["open_lstm"](layer, torch.zeros(shape).double())


@pytest.mark.parametrize("shape", [(1, 5), (1, 2, 5), (2, 4)])
def test_a_state_of_another_shape_is_refused(book, shape):
    """Also PyTorch's (1, B, N), and one row for the whole batch, which would be repeated in silence."""
    right, wrong = torch.zeros(2, 5), torch.zeros(shape)
    for state in [(wrong, right), (right, wrong)]:
        with pytest.raises(ValueError, match=r"\(2, 5\)"):
            book["LSTM"](4, 5)(torch.zeros(2, 3, 4), state)


@pytest.mark.parametrize(
    "options",
    [{"num_layers": 2}, {"bidirectional": True}, {"batch_first": False}, {"proj_size": 3}, {"bias": False}],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("name", ["lstm_twin", "open_lstm", "memory_factors"])
def test_a_layer_with_more_to_it_is_refused(book, name, options):
    layer = nn.LSTM(4, 5, **({"batch_first": True} | options))
    with pytest.raises(ValueError, match="one layer, one direction, batch first"):
        book[name](layer, *([] if name == "lstm_twin" else [torch.zeros(2, 3, 4)]))


@pytest.mark.parametrize("name", ["lstm_twin", "open_lstm", "memory_factors"])
def test_another_kind_of_layer_is_refused(book, name):
    with pytest.raises(ValueError, match="nn.LSTM"):
        book[name](nn.GRU(4, 5, batch_first=True), *([] if name == "lstm_twin" else [torch.zeros(2, 3, 4)]))


@pytest.mark.parametrize("device, dtype", [("meta", torch.float32), ("cpu", torch.float64), ("cpu", torch.bfloat16)])
def test_new_tensors_follow_the_input(book, device, dtype):
    layer = nn.LSTM(4, 5, batch_first=True).to(device, dtype)
    x = torch.zeros(2, 3, 4, device=device, dtype=dtype)
    out, (h, c) = book["lstm_twin"](layer)(x)
    inside = book["open_lstm"](layer, x)
    for tensor in [out, h, c, *inside["c"], *inside["f"]]:
        assert tensor.device.type == device and tensor.dtype == dtype


def test_our_cell_starts_where_pytorchs_does(book):
    """Uniform within 1 / sqrt(N): the bound is reached and not passed."""
    torch.manual_seed(0)
    cell = book["LSTM"](40, 64)
    for parameter in cell.parameters():
        assert 0.9 / 8 < parameter.abs().max() <= 1 / 8
    assert sum(p.numel() for p in cell.parameters()) == 4 * (64 * 40 + 64 * 64 + 64)


def test_a_twin_has_weights_of_its_own(book):
    layer, x = layer_and_input(2, 3, 4, 5)
    twin, before = book["lstm_twin"](layer), layer(x)[0].detach().clone()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(layer(x)[0], before)


# ---------------------------------------------------------------- its insides


@pytest.mark.parametrize("cut", ["", "i", "f", "c", "o", "ifco"])
@pytest.mark.parametrize("B, T, D, N", SHAPES)
def test_the_opened_layer_computes_the_same(book, B, T, D, N, cut):
    layer, x = layer_and_input(B, T, D, N)
    inside = book["open_lstm"](layer, x, cut=cut)
    out, (_, c) = layer(x)
    torch.testing.assert_close(torch.stack(inside["h"], 1), out, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(inside["c"][-1], c[0], rtol=1e-10, atol=1e-10)
    assert {name: len(values) for name, values in inside.items()} == {
        **dict.fromkeys(["i", "f", "candidate", "o", "h"], T),
        "c": T + 1,
    }
    for t in range(T):
        memory = inside["f"][t] * inside["c"][t] + inside["i"][t] * inside["candidate"][t]
        torch.testing.assert_close(inside["c"][t + 1], memory)
        torch.testing.assert_close(inside["h"][t], inside["o"][t] * memory.tanh())


@pytest.mark.parametrize("T", [1, 2, 9])
def test_the_direct_path_is_the_product_of_forget_gates(book, T):
    layer, x = layer_and_input(3, T, 4, 5)
    inside = book["open_lstm"](layer, x, cut="ifco")
    product = torch.ones(3, 5).double()
    for t in range(T, 0, -1):
        product = product * inside["f"][t - 1]
        for unit in range(5):
            row = torch.autograd.grad(inside["c"][-1][:, unit].sum(), inside["c"][t - 1], retain_graph=True)[0]
            expected = torch.zeros(3, 5).double()
            expected[:, unit] = product[:, unit]
            torch.testing.assert_close(row, expected, rtol=1e-10, atol=1e-12)


def reached(book, layer, x, cut):
    inside = book["open_lstm"](layer, x, cut)
    return torch.autograd.grad(inside["c"][-1].sum(), inside["c"][0])[0]


def test_without_the_cut_there_are_other_ways(book):
    """Every letter closes a way of its own: no two cuts leave the same gradient. With all gates that lead into c cut,
    the output gate makes no difference."""
    layer, x = layer_and_input(3, 6, 4, 5)
    left = [reached(book, layer, x, cut) for cut in ["", "i", "f", "c", "o", "ifco"]]
    for a, b in itertools.combinations(left, 2):
        assert (a - b).abs().max() > 1e-4
    torch.testing.assert_close(reached(book, layer, x, "ifc"), left[-1])


@pytest.mark.parametrize("letter, block", [("i", 0), ("f", 1), ("c", 2), ("o", 3)])
def test_a_cut_is_that_gates_recurrent_weights_taken_out_of_the_gradient(book, letter, block):
    """Where the gate's weights from h are zero there is nothing to cut."""
    layer, x = layer_and_input(3, 6, 4, 5)
    assert (reached(book, layer, x, letter) - reached(book, layer, x, "")).abs().max() > 1e-4
    with torch.no_grad():
        layer.weight_hh_l0[5 * block : 5 * block + 5] = 0
    torch.testing.assert_close(reached(book, layer, x, letter), reached(book, layer, x, ""))


@pytest.mark.parametrize("cut", ["g", "cell", "IFCO"])
def test_a_cut_of_something_else_is_refused(book, cut):
    layer, x = layer_and_input(2, 3, 4, 5)
    with pytest.raises(ValueError, match="letters of 'ifco'"):
        book["open_lstm"](layer, x, cut)


# ---------------------------------------------------------------- the prediction


def test_memory_factors_against_the_whole_jacobian(book):
    """f, rho and the mean step from the derivative of c_t by c_(t-1) that autograd finds, entry by entry."""
    B, T, N = 2, 5, 4
    layer, x = layer_and_input(B, T, 3, N)
    inside = book["open_lstm"](layer, x)
    steps = []
    for t in range(1, T):
        rows = [
            torch.autograd.grad(inside["c"][t + 1][:, unit].sum(), inside["c"][t], retain_graph=True)[0]
            for unit in range(N)
        ]
        steps.append(torch.stack(rows, dim=1))  # (B, N, N)
    whole, gates = torch.stack(steps), torch.stack(inside["f"][1:])
    roundabout = (whole - torch.diag_embed(gates)).mean((0, 1))
    f, rho, step = book["memory_factors"](layer, x)
    assert f == pytest.approx(math.sqrt((gates**2).mean().item()), rel=1e-10)
    assert rho == pytest.approx(roundabout.norm().item() / math.sqrt(N), rel=1e-10)
    torch.testing.assert_close(step, whole.mean((0, 1)), rtol=1e-10, atol=1e-12)
    assert not step.requires_grad


def test_memory_factors_need_two_steps(book):
    layer, x = layer_and_input(2, 1, 4, 5)
    with pytest.raises(ValueError, match="two steps"):
        book["memory_factors"](layer, x)


def test_predicted_norms_at_the_edges(book):
    k = np.arange(21)
    np.testing.assert_allclose(book["predicted_norms"](0.7, 0.0, 20), 0.7**k)
    np.testing.assert_allclose(book["predicted_norms"](0.0, 0.6, 20), 0.6**k)
    np.testing.assert_allclose(book["predicted_norms"](0.5, 0.2, 1), [1, math.hypot(0.5, 0.2)])


def test_predicted_norms_against_a_random_matrix(book):
    """The theory is exact, up to chance, for a fixed f plus one random matrix of size rho taken again and again."""
    generator, N, f, rho, steps = np.random.default_rng(0), 400, 0.6, 0.2, 30
    R = generator.normal(0, rho / math.sqrt(N), (N, N))
    v = generator.normal(size=(N, 20))
    v /= np.linalg.norm(v, axis=0)
    predicted = book["predicted_norms"](f, rho, steps)
    for k in range(1, steps + 1):
        v = f * v + R @ v
        assert np.sqrt((v**2).sum(0).mean()) == pytest.approx(predicted[k], rel=0.15), k


# ---------------------------------------------------------------- the tally


def by_hand(x):
    """The sum since the last mark, one step at a time."""
    total = torch.zeros(len(x))
    for t in range(x.shape[1]):
        total = torch.where(x[:, t, 1] == 1, torch.zeros(len(x)), total) + x[:, t, 0]
    return total


@pytest.mark.parametrize("length", [1, 2, 40])
def test_the_tally_is_the_sum_since_the_last_mark(book, length):
    x, y = book["tally_batch"](500, length, np.random.default_rng(0))
    assert x.shape == (500, length, 2) and y.shape == (500,) and x.dtype == y.dtype == torch.float32
    torch.testing.assert_close(y, by_hand(x), rtol=1e-4, atol=1e-5)
    assert (x[:, 0, 1] == 1).all() and set(x[:, :, 1].flatten().tolist()) <= {0.0, 1.0}
    assert -1 <= x[:, :, 0].min() < -0.9 and 0.9 < x[:, :, 0].max() <= 1


def test_the_tally_marks_a_step_in_ten(book):
    x, y = book["tally_batch"](2000, 60, np.random.default_rng(1))
    assert x[:, 1:, 1].mean().item() == pytest.approx(0.1, rel=0.05)
    assert y.var().item() == pytest.approx(10 / 3, rel=0.1)  # ten values of variance 1/3 on average


@pytest.mark.parametrize("batch_size, length", [(0, 5), (5, 0), (-1, 5)])
def test_a_tally_of_nothing_is_refused(book, batch_size, length):
    with pytest.raises(ValueError, match="at least 1"):
        book["tally_batch"](batch_size, length, np.random.default_rng(0))


@pytest.mark.parametrize("gates", ["", "i", "f", "o", "if"])
def test_a_stuck_gate_stays_open_through_a_training_step(book, gates):
    torch.manual_seed(0)
    layer, x = book["stuck_lstm"](gates, 5, input_size=3), torch.randn(4, 6, 3)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(x)[0].square().sum().backward()
    optimizer.step()
    inside = book["open_lstm"](layer, x)
    for gate in "ifo":
        values = torch.stack(inside[gate])
        assert torch.equal(values, torch.ones_like(values)) if gate in gates else values.max() < 1
    assert layer.batch_first and layer.hidden_size == 5 and layer.input_size == 3


def test_a_stuck_gate_leaves_the_others_as_they_start(book):
    torch.manual_seed(0)
    free = torch.nn.LSTM(2, 5, batch_first=True)
    torch.manual_seed(0)
    stuck = book["stuck_lstm"]("f", 5)
    for name, parameter in stuck.named_parameters():
        whole = dict(free.named_parameters())[name]
        assert torch.equal(parameter[:5], whole[:5]) and torch.equal(parameter[10:], whole[10:])


def test_another_gate_cannot_be_stuck(book):
    with pytest.raises(ValueError, match="letters of 'ifo'"):
        book["stuck_lstm"]("c", 5)
