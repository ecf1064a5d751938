"""Chapter 6's definitions: counting work and depth, saved bytes, timing, truncation, the scan."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

LENGTHS = [1, 2, 3, 4, 5, 8, 31, 64, 100, 257]


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize("B, T, D, N", [(1, 1, 1, 1), (1, 9, 3, 2), (4, 33, 5, 7)])
def test_work_and_depth_of_recurrent_layers(book, B, T, D, N):
    x, count = torch.randn(B, T, D), book["work_and_depth"]
    assert count(nn.RNN(D, N, batch_first=True), x) == (B * T * N * (D + N), T)
    assert count(nn.GRU(D, N, batch_first=True), x) == (B * T * (3 * N * (D + N) + 2 * N), 3 * T)


def test_a_product_is_one_link_and_a_chain_of_them_is_as_long_as_it_looks(book):
    a, b, c = torch.randn(6, 4), torch.randn(4, 5), torch.randn(5, 3)
    count = book["work_and_depth"]
    assert count(torch.matmul, a, b) == (6 * 4 * 5, 1)
    assert count(lambda: a @ b @ c) == (6 * 4 * 5 + 6 * 5 * 3, 2)
    assert count(lambda: a @ (b @ c)) == (4 * 5 * 3 + 6 * 4 * 3, 2)
    assert count(lambda: (a * a, a * a)) == (2 * 24, 1)  # side by side
    assert count(lambda: (a * a * a, a * a)) == (3 * 24, 2)  # the longest chain, and not the last
    assert count(lambda: a + a) == (0, 0)
    assert count(lambda: torch.addmm(torch.zeros(3), b, c)) == (4 * 5 * 3, 1)
    assert count(torch.bmm, torch.randn(2, 3, 4), torch.randn(2, 4, 5)) == (2 * 3 * 4 * 5, 1)


def test_depth_follows_views_and_writing_in_place(book):
    def run():
        a = torch.ones(8) * 2  # 1
        a[:4] *= 3  # 2, through a view
        return torch.cat([a[4:], a[:4]]).view(2, 4) * 5  # 3

    assert book["work_and_depth"](run) == (8 + 4 + 8, 3)


def test_counting_leaves_no_trace(book):
    layer, x = nn.Linear(3, 2), torch.randn(5, 3)
    first = book["work_and_depth"](layer, x)
    assert first == book["work_and_depth"](layer, x)
    assert layer(x).requires_grad


# ---------------------------------------------------------------- memory and time


@pytest.mark.parametrize("B, T, D, N", [(1, 1, 1, 1), (2, 10, 3, 5), (7, 64, 4, 6)])
def test_what_an_rnn_keeps_is_the_formula(book, B, T, D, N):
    rnn = nn.RNN(D, N, batch_first=True)
    kept = book["saved_bytes"](rnn, torch.randn(B, T, D), ignore=rnn.parameters())
    assert kept == 4 * (B * T * D + B * (T + 1) * N)


def test_saved_storages_count_once_and_ignored_ones_not_at_all(book):
    w = torch.randn(10, requires_grad=True)
    assert book["saved_bytes"](lambda: (w * w).sum()) == 40
    assert book["saved_bytes"](lambda: (w * w).sum(), ignore=[w]) == 0
    assert book["saved_bytes"](lambda: (w[:5] * w[5:]).sum()) == 40  # two views, one storage
    assert book["saved_bytes"](lambda: w.exp().exp()) == 80  # two results, each its own backward
    assert book["saved_bytes"](lambda: w + w) == 0
    with torch.no_grad():
        assert book["saved_bytes"](lambda: (w * w).sum()) == 0


def test_median_time_calls_once_more_than_it_counts(book):
    calls = []
    seconds = book["median_time"](calls.append, 1, repeats=4)
    assert len(calls) == 5 and 0 < seconds < 1
    with pytest.raises(ValueError, match="at least 1"):
        book["median_time"](calls.append, 1, repeats=0)


def test_median_time_is_a_median_without_the_first_call(book, monkeypatch):
    import time

    clock = iter([0, 100, 0, 1, 0, 5, 0, 2])  # the first call takes 100
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert book["median_time"](lambda: None, repeats=3) == 2


def test_fastest_times_takes_turns_and_keeps_the_least(book, monkeypatch):
    import time

    order, clock = [], iter([0, 9, 0, 3, 0, 9, 0, 5, 0, 9, 0, 2, 0, 9, 0, 7])  # two calls a turn, the second is timed
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    found = book["fastest_times"]({"a": (order.append, "a"), "b": (order.append, "b")}, rounds=2)
    assert found == {"a": 2, "b": 5}
    assert "".join(order) == "aabbaabb"


def test_fastest_times_runs_on_one_thread_and_sets_the_number_back(book):
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        book["fastest_times"]({"a": (lambda: seen.append(torch.get_num_threads()),)}, rounds=1)
        with pytest.raises(ZeroDivisionError):
            book["fastest_times"]({"a": (lambda: 1 / 0,)}, rounds=1)
        assert set(seen) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ValueError, match="at least 1"):
        book["fastest_times"]({}, rounds=0)


# ---------------------------------------------------------------- truncated backpropagation


def letter_model(book, layer=nn.GRU):
    torch.manual_seed(0)
    model = book["LetterModel"](9, 4, 6, layer=layer).double()
    ids, targets = torch.randint(0, 9, (3, 12)), torch.randint(0, 9, (3, 12))
    targets[:, ::5] = -1
    return model, ids, targets


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("every", [12, 50])
def test_one_piece_is_full_backpropagation(book, every):
    model, ids, targets = letter_model(book)
    bits, state = book["truncated_backward"](model, ids, targets, every)
    ours = gradient(model).clone()
    model.zero_grad()
    logits, _, last = model(ids)
    nats = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1)
    nats.backward()
    torch.testing.assert_close(ours, gradient(model), rtol=1e-10, atol=1e-12)
    assert math.isclose(bits, nats.item() / math.log(2), rel_tol=1e-10)
    torch.testing.assert_close(state, last.detach())
    assert not state.requires_grad


def detached(state):
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("every", [1, 4, 5])
def test_pieces_equal_pieces_cut_by_hand(book, every, layer):
    model, ids, targets = letter_model(book, layer)
    twin = copy.deepcopy(model)
    bits, state = book["truncated_backward"](model, ids, targets, every)
    h, total = None, 0.0
    for t in range(0, 12, every):
        logits, _, h = twin(ids[:, t : t + every], None if h is None else detached(h))
        part = targets[:, t : t + every]
        total = total + F.cross_entropy(logits[part >= 0], part[part >= 0], reduction="sum")
    nats = total / (targets >= 0).sum()
    nats.backward()
    torch.testing.assert_close(gradient(model), gradient(twin), rtol=1e-10, atol=1e-12)
    assert math.isclose(bits, nats.item() / math.log(2), rel_tol=1e-10)
    torch.testing.assert_close(state, detached(h))


class Nested(nn.Module):
    """A letter model whose state is a mask and a list of pairs, which it changes in place: h, and the ids read."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, state=None):
        known, layers = state or (ids[:, :0] > 0, [])
        logits, states, last = self.model(ids, layers.pop()[0] if layers else None)
        layers.append((last, [ids.double()]))
        return logits, states, (torch.cat([known, ids > 0], dim=1), layers)


@pytest.mark.parametrize("every", [1, 4, 12])
def test_a_state_in_tuples_and_lists_is_cut_all_through(book, every):
    model, ids, targets = letter_model(book)
    bits, last = book["truncated_backward"](model, ids, targets, every)
    expected = gradient(model).clone()
    model.zero_grad()
    nested_bits, (known, layers) = book["truncated_backward"](Nested(model), ids, targets, every)
    assert nested_bits == bits and torch.equal(gradient(model), expected)
    assert isinstance(layers, list) and isinstance(layers[0], tuple) and isinstance(layers[0][1], list)
    torch.testing.assert_close(layers[0][0], last)
    assert known.shape == ids.shape and not layers[0][0].requires_grad


def test_a_gpt_can_be_cut(book):
    """Its state is a mask and a cache; in one piece the gradient is the whole one."""
    torch.manual_seed(0)
    model = book["GPT"](9, 8, 2, 16, 2).double()
    ids, targets = torch.randint(1, 9, (3, 12)), torch.randint(1, 9, (3, 12))
    found = {}
    for every in [12, 4]:
        model.zero_grad()
        bits, state = book["truncated_backward"](model, ids, targets, every)
        found[every] = bits, gradient(model).clone()
        assert not any(part.requires_grad for part in state)
    model.zero_grad()
    nats = F.cross_entropy(model(ids)[0].transpose(1, 2), targets)
    nats.backward()
    torch.testing.assert_close(found[12][1], gradient(model), rtol=1e-10, atol=1e-12)
    assert math.isclose(found[4][0], nats.item() / math.log(2), rel_tol=1e-9)
    assert (found[4][1] - found[12][1]).abs().max() > 1e-4


def test_nothing_given_is_changed(book):
    model, ids, targets = letter_model(book, nn.LSTM)
    kept = ids.clone(), targets.clone()
    first = book["truncated_backward"](model, ids, targets, 5)[1]
    before = [part.clone() for part in first]
    book["truncated_backward"](model, ids, targets, 5, first)
    assert torch.equal(ids, kept[0]) and torch.equal(targets, kept[1])
    for part, was in zip(first, before):
        assert torch.equal(part, was)
    model, ids, targets = letter_model(book)
    layers = [(torch.zeros(1, 3, 6).double(), [])]
    book["truncated_backward"](Nested(model), ids, targets, 5, (ids[:, :0] > 0, layers))
    assert len(layers) == 1 and layers[0][0].abs().max() == 0 and layers[0][1] == []


def test_a_state_with_a_history_is_cut_too(book):
    model, ids, targets = letter_model(book)
    history = torch.ones(1, 3, 6, dtype=torch.float64, requires_grad=True)
    book["truncated_backward"](model, ids, targets, 5, history * 0.5)
    assert history.grad is None


def test_a_state_of_another_kind_is_refused(book):
    model, ids, targets = letter_model(book)
    with pytest.raises(ValueError, match="tensors, tuples and lists.*dict"):
        book["truncated_backward"](lambda ids, state: (model(ids)[0], None, {"h": 1}), ids, targets, 5)


def test_targets_that_do_not_count_are_refused(book):
    model, ids, targets = letter_model(book)
    for wrong in [torch.full_like(targets, -1), targets[:, :0]]:
        with pytest.raises(ValueError, match="no target counts"):
            book["truncated_backward"](model, ids[:, : wrong.shape[1]], wrong, 5)
    assert all(p.grad is None for p in model.parameters())


def test_targets_of_another_shape_are_refused(book):
    model, ids, targets = letter_model(book)
    with pytest.raises(ValueError, match="one shape"):
        book["truncated_backward"](model, ids, targets[:, :-1], 5)


def test_a_gradient_does_not_cross_the_cut_but_the_state_does(book):
    model, ids, targets = letter_model(book)
    targets[:, :-1] = -1  # one prediction, at the end
    ids[:, 0] = 8
    ids[:, 1:] = ids[:, 1:].clamp(max=7)  # symbol 8 stands at the first position only
    book["truncated_backward"](model, ids, targets, 6)
    assert model.embedding.weight.grad[8].abs().max() == 0
    book["truncated_backward"](model, ids, targets, 12)
    assert model.embedding.weight.grad[8].abs().max() > 0
    carried = book["truncated_backward"](model, ids, targets, 6)[0]
    assert math.isclose(carried, book["truncated_backward"](model, ids, targets, 12)[0])


def test_a_reach_below_one_is_refused(book):
    with pytest.raises(ValueError, match="at least 1 step"):
        book["truncated_backward"](*letter_model(book), 0)


# ---------------------------------------------------------------- streams


def test_a_letter_stream_is_the_words_in_some_order_with_an_end_mark_after_each(book):
    vocabulary = book["Vocabulary"]("abcdef")
    words = ["abc", "de", "f", "fade", "bad"]
    rows = book["letter_stream"](words, vocabulary, 2, 3)
    assert rows.shape == (2, 9) and rows.dtype == torch.int64  # 13 letters and 5 marks
    text = "".join(vocabulary.symbols[i] for i in rows.flatten())
    assert text.endswith("$") and sorted(text[:-1].split("$")) == sorted(words)
    assert torch.equal(rows, book["letter_stream"](words, vocabulary, 2, 3))
    assert any(not torch.equal(rows, book["letter_stream"](words, vocabulary, 2, seed)) for seed in range(5))
    assert book["letter_stream"](words, vocabulary, 4, 3).shape == (4, 4)  # two symbols are left over
    assert torch.equal(book["letter_stream"](words, vocabulary, 4, 3).flatten(), rows.flatten()[:16])
    for wrong in [0, 19]:
        with pytest.raises(ValueError, match="18 symbols"):
            book["letter_stream"](words, vocabulary, wrong, 3)


@pytest.mark.parametrize("distance", [1, 4, 10])
def test_a_recall_stream_asks_for_the_letter_that_stood_so_many_steps_before(book, distance):
    stretches = book["recall_stretches"](distance, 7, 5, rows=6, length=20, kinds=3)
    assert len(stretches) == 7
    for ids, targets in stretches:
        assert ids.shape == targets.shape == (6, 20) and ids.dtype == targets.dtype == torch.int64
    ids, targets = (torch.cat(part, dim=1) for part in zip(*stretches))
    asked = targets >= 0
    assert asked.sum() > 30 and torch.equal(asked, ids == 1)
    rows, steps = asked.nonzero(as_tuple=True)
    assert torch.equal(targets[rows, steps], ids[rows, steps - distance])
    assert set(targets[asked].tolist()) == {2, 3, 4} and not asked[:, :distance].any()
    assert (ids >= 2).sum(1).sub(asked.sum(1)).abs().max() <= 1  # nothing else is written
    gaps = torch.cat([row.nonzero().flatten().diff() - distance for row in asked])
    assert gaps.min() == 1 and 2 < gaps.max() <= 5
    with pytest.raises(ValueError, match="at least 1"):
        book["recall_stretches"](0, 1, 0)


def test_parity_stretches_say_whether_the_ones_so_far_are_odd(book):
    stretches = book["parity_stretches"](3, 9, 4, rows=5)
    assert len(stretches) == 3
    for ids, targets in stretches:
        assert ids.shape == targets.shape == (5, 9) and set(ids.unique().tolist()) == {0, 1}
        for row, wanted in zip(ids.tolist(), targets.tolist()):
            assert wanted == [sum(row[: t + 1]) % 2 for t in range(9)]
    assert not torch.equal(stretches[0][0], stretches[1][0])
    again, other = (book["parity_stretches"](3, 9, seed, rows=5) for seed in (4, 5))
    assert torch.equal(again[2][0], stretches[2][0]) and not torch.equal(other[2][0], stretches[2][0])


def stream_model(book):
    torch.manual_seed(0)
    return book["LetterModel"](9, 4, 6, layer=nn.GRU).to(book["device"])


def random_stretches(count):
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randint(0, 9, (count, 3, 11), generator=generator)
    return [(ids[:, :-1], ids[:, 1:]) for ids in drawn]


@pytest.mark.parametrize("carry", [True, False])
def test_train_stream_is_adam_clipped_with_a_falling_rate(book, carry):
    model, twin = stream_model(book), stream_model(book)
    stretches = random_stretches(4)
    losses = book["train_stream"](model, stretches, 5, 0.5, carry=carry)
    optimizer, state, expected = torch.optim.Adam(twin.parameters()), None, []
    for k, (ids, targets) in enumerate(stretches):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - k / 4)
        optimizer.zero_grad()
        ids, targets = ids.to(book["device"]), targets.to(book["device"])
        loss, last = book["truncated_backward"](twin, ids, targets, 5, state)
        nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.step()
        state = last if carry else None
        expected.append(loss)
    assert losses == pytest.approx(expected, rel=1e-6)
    for ours, theirs in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(ours, theirs)
    assert not model.training


def test_train_stream_scales_long_gradients_to_length_one(book, monkeypatch):
    model, seen = stream_model(book), []
    with torch.no_grad():
        model.output.weight.mul_(1000)
    step = torch.optim.Adam.step

    def watched(self, *args, **kwargs):
        seen.append(float(gradient(model).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    book["train_stream"](model, random_stretches(2), 5, 0.01)
    assert seen == pytest.approx([1, 1], rel=1e-4)


def test_train_stream_leaves_what_needs_no_gradient(book):
    model = stream_model(book)
    model.embedding.requires_grad_(False)
    before = model.embedding.weight.clone()
    others = [p.clone() for p in model.rnn.parameters()]
    book["train_stream"](model, random_stretches(2), 5, 0.1)
    assert torch.equal(model.embedding.weight, before)
    assert not any(torch.equal(p, was) for p, was in zip(model.rnn.parameters(), others))


# ---------------------------------------------------------------- the scan


def staircase(f, u, h0=None):
    h, states = torch.zeros_like(u[:, 0]) if h0 is None else h0, []
    for t in range(u.shape[1]):
        h = f[:, t] * h + u[:, t]
        states.append(h)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("T", LENGTHS)
@pytest.mark.parametrize("B, with_start", [(1, False), (4, True)])
def test_scan_equals_loop_in_values_and_gradients(book, T, B, with_start):
    generator = torch.Generator().manual_seed(T)
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    f, u, h0 = draw(B, T, 3).tanh(), draw(B, T, 3), draw(B, 3)  # factors of both signs
    f[:, ::3] = 0
    weight, results = draw(B, T, 3), []
    for method in [book["linear_scan"], staircase]:
        inputs = [v.clone().requires_grad_() for v in ([f, u, h0] if with_start else [f, u])]
        h = method(*inputs)
        results.append([h, *torch.autograd.grad((h * weight).sum(), inputs, materialize_grads=True)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("T", LENGTHS)
def test_scan_takes_log_rounds(book, T):
    f, u = torch.rand(2, T, 3), torch.randn(2, T, 3)
    work, depth = book["work_and_depth"](book["linear_scan"], f, u)
    reaches = [2**k for k in range(math.ceil(math.log2(T)))]
    assert depth == len(reaches)
    assert work == 6 * sum(2 * (T - reach) for reach in reaches)


def test_scan_survives_products_that_underflow(book):
    f, u = torch.full((1, 5000, 1), 0.01), torch.ones(1, 5000, 1)
    torch.testing.assert_close(book["linear_scan"](f, u), staircase(f, u))


def test_scan_refuses_what_it_cannot_scan(book):
    with pytest.raises(ValueError, match="at least a step"):
        book["linear_scan"](torch.ones(1, 0, 2), torch.ones(1, 0, 2))
    with pytest.raises(ValueError, match="one shape"):
        book["linear_scan"](torch.ones(1, 3, 2), torch.ones(1, 4, 2))
    with pytest.raises(ValueError, match=r"\(B, T, N\)"):
        book["linear_scan"](torch.ones(3, 2), torch.ones(3, 2))


@pytest.mark.parametrize("shape", [(1, 2), (1, 4, 2), (4, 1), (2,)])
def test_scan_refuses_a_start_of_another_shape(book, shape):
    """Also one row for the whole batch, which would be repeated in silence."""
    with pytest.raises(ValueError, match=r"\(4, 2\)"):
        book["linear_scan"](torch.ones(4, 3, 2), torch.ones(4, 3, 2), torch.ones(shape))


@pytest.mark.parametrize("device, dtype", [("meta", torch.float32), ("cpu", torch.float64), ("cpu", torch.bfloat16)])
def test_scan_and_min_gru_follow_their_input(book, device, dtype):
    make = lambda *shape: torch.ones(shape, device=device, dtype=dtype)  # noqa: E731
    model = book["MinGRU"](4, 5, num_layers=2).to(device, dtype)
    results = [
        book["linear_scan"](make(2, 7, 3), make(2, 7, 3)),
        *model(make(2, 7, 4)),
        *model(make(2, 7, 4), make(2, 2, 5)),
    ]
    for tensor in results:
        assert tensor.device.type == device and tensor.dtype == dtype


# ---------------------------------------------------------------- minGRU


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("B, T", [(1, 1), (3, 17)])
def test_min_gru_follows_its_equations(book, layers, B, T):
    torch.manual_seed(layers)
    model = book["MinGRU"](4, 5, num_layers=layers).double()
    x, h0 = torch.randn(B, T, 4).double(), torch.randn(layers, B, 5).double()
    states, last = model(x, h0)
    for i, both in enumerate(model.maps):
        h, expected = h0[i], []
        for t in range(T):
            a = x[:, t] @ both.weight.T + both.bias
            z, candidate = torch.sigmoid(a[:, :5]), a[:, 5:]
            h = z * h + (1 - z) * candidate
            expected.append(h)
        x = torch.stack(expected, dim=1)
        torch.testing.assert_close(last[i], h, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(states, x, rtol=1e-10, atol=1e-10)


def test_min_gru_can_stop_and_go_on(book):
    model, x = book["MinGRU"](4, 5, num_layers=2), torch.randn(3, 11, 4)
    whole, last = model(x)
    first, state = model(x[:, :6])
    rest, end = model(x[:, 6:], state)
    torch.testing.assert_close(whole, torch.cat([first, rest], dim=1))
    torch.testing.assert_close(last, end)


def test_min_gru_is_batch_first_and_says_so(book):
    with pytest.raises(ValueError, match="batch_first"):
        book["MinGRU"](4, 5, batch_first=False)
    assert book["LetterModel"](9, 4, 5, layer=book["MinGRU"])(torch.zeros(2, 3, dtype=torch.long))[0].shape == (2, 3, 9)


def test_min_gru_needs_a_layer(book):
    with pytest.raises(ValueError, match="num_layers"):
        book["MinGRU"](4, 5, num_layers=0)


def test_min_gru_refuses_an_empty_sequence_in_its_own_words(book):
    with pytest.raises(ValueError, match="empty sequence"):
        book["MinGRU"](4, 5)(torch.zeros(2, 0, 4))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5), (2, 3, 4, 1)])
def test_min_gru_refuses_an_input_of_another_shape(book, shape):
    with pytest.raises(ValueError, match=r"\(B, T, 4\)"):
        book["MinGRU"](4, 5)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 2, 5), (1, 2, 5), (2, 5), (2, 1, 5)])
def test_min_gru_refuses_a_state_of_another_shape(book, shape):
    with pytest.raises(ValueError, match=r"\(2, 2, 5\)"):
        book["MinGRU"](4, 5, num_layers=2)(torch.zeros(2, 3, 4), torch.zeros(shape))
