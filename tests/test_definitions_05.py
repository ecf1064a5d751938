"""Chapter 5's definitions: the GRU, with its reset gate applied after the product as in PyTorch, and gru_twin."""

import pytest
import torch
from torch import nn

SIZES = [(1, 1, 1, 1), (1, 7, 3, 5), (4, 1, 5, 3), (3, 11, 5, 7), (64, 3, 2, 4), (2, 150, 4, 6)]  # B, T, D, N


def twins(book, D, N, dtype=torch.float64):
    """PyTorch's layer and ours with the same weights, biases far from zero and different in every block."""
    torch.manual_seed(D * 100 + N)
    theirs, ours = nn.GRU(D, N, batch_first=True).to(dtype), book["GRU"](D, N).to(dtype)
    with torch.no_grad():
        for bias in [theirs.bias_ih_l0, theirs.bias_hh_l0]:
            bias.copy_((0.5 * torch.randn(3, N) + torch.tensor([[0.6], [-0.4], [0.9]])).flatten())
    return theirs, copied(theirs, ours)


def copied(theirs, ours):
    N = theirs.hidden_size
    with torch.no_grad():
        ours.W_x.copy_(theirs.weight_ih_l0)
        ours.W_h.copy_(theirs.weight_hh_l0)
        ours.b.copy_(theirs.bias_ih_l0)
        ours.b[: 2 * N] += theirs.bias_hh_l0[: 2 * N]
        ours.b_h.copy_(theirs.bias_hh_l0[2 * N :])
    return ours


def one_step(r, z, new, h):
    return z * h + (1 - z) * new


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("B, T, D, N", SIZES)
@pytest.mark.parametrize("given_state", [False, True])
def test_the_cell_equals_nn_gru(book, B, T, D, N, dtype, tolerance, given_state):
    theirs, ours = twins(book, D, N, dtype)
    x = torch.randn(B, T, D, dtype=dtype)
    h0 = torch.randn(B, N, dtype=dtype).tanh() if given_state else None
    x_ours, x_theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, last = ours(x_ours, h0)
    reference, reference_last = theirs(x_theirs, None if h0 is None else h0[None])
    assert out.shape == (B, T, N) and last.shape == (B, N)
    torch.testing.assert_close(out, reference, rtol=tolerance, atol=tolerance * 0.1)
    torch.testing.assert_close(last, reference_last[0], rtol=tolerance, atol=tolerance * 0.1)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    (reference * weights).sum().backward()
    for mine, other in [
        (ours.W_x.grad, theirs.weight_ih_l0.grad),
        (ours.W_h.grad, theirs.weight_hh_l0.grad),
        (ours.b.grad, theirs.bias_ih_l0.grad),
        (ours.b_h.grad, theirs.bias_hh_l0.grad[2 * N :]),
        (x_ours.grad, x_theirs.grad),
    ]:
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance * max(1, float(other.abs().max())))


def test_gradients_against_finite_differences(book):
    _, ours = twins(book, 3, 4)
    x, h0 = torch.randn(2, 3, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda h: ours(x, h), (h0.requires_grad_(),))


def test_the_gates_are_named_right(book):
    """An update gate pinned at 1 keeps the state, at 0 writes the candidate; a reset gate at 0 hides the past."""
    _, ours = twins(book, 5, 7)
    x = torch.randn(3, 5, dtype=torch.float64)
    h, other = torch.randn(2, 3, 7, dtype=torch.float64).tanh()
    with torch.no_grad():
        ours.b[7:14] = 60.0
        torch.testing.assert_close(ours.step(x, h), h, rtol=1e-10, atol=1e-10)
        ours.b[7:14] = -60.0
        r, z, new = ours.gates(x, h)
        torch.testing.assert_close(ours.step(x, h), new, rtol=1e-10, atol=1e-10)
        assert not torch.allclose(ours.step(x, h), ours.step(x, other))
        ours.b[:7] = -60.0
        torch.testing.assert_close(ours.step(x, h), ours.step(x, other), rtol=1e-10, atol=1e-10)
        plain = torch.tanh(x @ ours.W_x[14:].T + ours.b[14:])
        torch.testing.assert_close(ours.step(x, h), plain, rtol=1e-10, atol=1e-10)


def test_the_candidate_is_reset_after_the_product(book):
    """Equal to PyTorch's order, and not to that of the published paper."""
    _, ours = twins(book, 5, 7)
    x, h = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 7, dtype=torch.float64).tanh()
    with torch.no_grad():
        r, _, new = ours.gates(x, h)
        from_x = x @ ours.W_x[14:].T + ours.b[14:]
        after = torch.tanh(from_x + r * (h @ ours.W_h[14:].T + ours.b_h))
        before = torch.tanh(from_x + (r * h) @ ours.W_h[14:].T + ours.b_h)
    torch.testing.assert_close(new, after, rtol=1e-10, atol=1e-10)
    assert (new - before).abs().max() > 0.05


def wrong_reset_before(cell, x, h):
    N = h.shape[1]
    r, z, _ = cell.gates(x, h)
    inside = (r * h) @ cell.W_h[2 * N :].T + cell.b_h
    return one_step(r, z, torch.tanh(x @ cell.W_x[2 * N :].T + cell.b[2 * N :] + inside), h)


def wrong_z_inverted(cell, x, h):
    r, z, new = cell.gates(x, h)
    return one_step(r, 1 - z, new, h)


def wrong_gates_swapped(cell, x, h):
    N = h.shape[1]
    r, z, _ = cell.gates(x, h)
    inside = z * (h @ cell.W_h[2 * N :].T + cell.b_h)
    return one_step(z, r, torch.tanh(x @ cell.W_x[2 * N :].T + cell.b[2 * N :] + inside), h)


def wrong_bias_outside(cell, x, h):
    N = h.shape[1]
    r, z, _ = cell.gates(x, h)
    inside = r * (h @ cell.W_h[2 * N :].T) + cell.b_h
    return one_step(r, z, torch.tanh(x @ cell.W_x[2 * N :].T + cell.b[2 * N :] + inside), h)


@pytest.mark.parametrize("wrong", [wrong_reset_before, wrong_z_inverted, wrong_gates_swapped, wrong_bias_outside])
@pytest.mark.parametrize("B, T, D, N", [size for size in SIZES if size[3] > 1])
def test_the_comparison_would_catch_a_wrong_cell(book, monkeypatch, wrong, B, T, D, N):
    """The same parity check, with the mistake planted, fails by far; with one step from zero too, given a state."""
    theirs, ours = twins(book, D, N)
    monkeypatch.setattr(book["GRU"], "step", wrong)
    x, h0 = torch.randn(B, T, D, dtype=torch.float64), torch.randn(B, N, dtype=torch.float64).tanh()
    with torch.no_grad():
        assert (ours(x, h0)[0] - theirs(x, h0[None])[0]).abs().max() > 1e-3


def test_the_state_given_is_used_and_not_changed(book):
    _, ours = twins(book, 5, 7)
    x, h0 = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 7, dtype=torch.float64).tanh()
    kept = h0.clone()
    whole = ours(x, h0)[0]
    first, state = ours(x[:, :2], h0)
    second, _ = ours(x[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=1e-10, atol=1e-10)
    assert torch.equal(h0, kept) and not torch.allclose(whole, ours(x)[0])


def test_the_state_stays_within_one(book):
    """A mean of the old state and a tanh cannot leave the range they are in."""
    _, ours = twins(book, 5, 7)
    out, _ = ours(100 * torch.randn(2, 50, 5, dtype=torch.float64))
    assert out.abs().max() <= 1


def test_it_starts_where_pytorchs_does(book):
    """Uniform within 1 / sqrt(N): the bound is reached and not passed."""
    torch.manual_seed(0)
    for parameter in book["GRU"](40, 64).parameters():
        assert 0.9 / 8 < parameter.abs().max() <= 1 / 8


def test_an_empty_sequence_is_refused(book):
    with pytest.raises(ValueError, match="empty sequence"):
        book["GRU"](2, 3)(torch.zeros(4, 0, 2))


@pytest.mark.parametrize("shape", [(3, 2), (4, 3, 5), (4, 3, 2, 1)])
def test_an_input_of_another_shape_is_refused(book, shape):
    with pytest.raises(ValueError, match=r"\(B, T, 2\)"):
        book["GRU"](2, 3)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 3), (1, 4, 3), (4, 2)])
def test_a_state_of_another_shape_is_refused(book, shape):
    """Also PyTorch's (1, B, N), and one row for the whole batch, which would be repeated in silence."""
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        book["GRU"](2, 3)(torch.zeros(4, 5, 2), torch.zeros(shape))


@pytest.mark.parametrize("device, dtype", [("meta", torch.float32), ("cpu", torch.float64), ("cpu", torch.bfloat16)])
def test_new_tensors_follow_the_input(book, device, dtype):
    out, last = book["GRU"](2, 3).to(device, dtype)(torch.zeros(4, 5, 2, device=device, dtype=dtype))
    for tensor in [out, last]:
        assert tensor.device.type == device and tensor.dtype == dtype


def layer_of(D, N, dtype=torch.float64, **options):
    """An nn.GRU with biases far from zero, other ones in each block and in each of its two."""
    torch.manual_seed(10 * D + N)
    layer = nn.GRU(D, N, **({"batch_first": True} | options)).to(dtype)
    with torch.no_grad():
        for bias in [layer.bias_ih_l0, layer.bias_hh_l0]:
            bias.copy_(torch.randn(3 * N))
    return layer


@pytest.mark.parametrize("B, T, D, N", SIZES)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_the_twin_of_a_layer_computes_what_the_layer_does(book, B, T, D, N, dtype, tolerance):
    layer, x = layer_of(D, N, dtype), torch.randn(B, T, D, dtype=dtype)
    twin = book["gru_twin"](layer)
    assert isinstance(twin, book["GRU"])
    (out, last), (expected, expected_last) = twin(x), layer(x)
    torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance * 0.1)
    torch.testing.assert_close(last, expected_last[0], rtol=tolerance, atol=tolerance * 0.1)
    assert all(p.dtype == dtype and p.requires_grad for p in twin.parameters())


def test_the_twin_has_weights_of_its_own(book):
    layer = layer_of(3, 4)
    kept, twin = {k: v.clone() for k, v in layer.state_dict().items()}, book["gru_twin"](layer)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter += 1
    assert all(torch.equal(kept[k], v) for k, v in layer.state_dict().items())


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}, {"batch_first": False}])
def test_a_layer_with_more_to_it_has_no_twin(book, options):
    with pytest.raises(ValueError, match="one layer, one direction, batch first"):
        book["gru_twin"](layer_of(4, 5, **options))


@pytest.mark.parametrize("layer", [nn.GRU(4, 5, batch_first=True, bias=False), nn.LSTM(4, 5, batch_first=True)])
def test_another_kind_of_layer_has_no_twin(book, layer):
    with pytest.raises(ValueError, match="nn.GRU"):
        book["gru_twin"](layer)
