"""Chapter 9's definitions: the dot score, the general score, and attention with queries, keys and values of its own."""

import math

import pytest
import torch
import torch.nn.functional as F

SIZES = [(1, 1, 1, 1, 1), (2, 3, 5, 4, 4), (3, 1, 7, 6, 2), (4, 6, 2, 1, 8), (2, 5, 11, 16, 3)]  # B, T, S, d, M
EXACT = {"rtol": 1e-10, "atol": 1e-10}


def example(B, T, S, d, M=None):
    """Queries, keys, values and a mask in which rows have different numbers of places, and each has one."""
    torch.manual_seed(1000 * B + 100 * T + 10 * S + d)
    query, key, value = (torch.randn(B, n, w, dtype=torch.float64) for n, w in [(T, d), (S, d), (S, M or d)])
    lengths = torch.tensor([1 + (3 * b + S - 1) % S for b in range(B)])
    return query, key, value, torch.arange(S) < lengths[:, None]  # mask (B, S)


def by_loops(score, query, key, value, mask):
    """Contexts (B, T, M) and weights (B, T, S) from a score of two vectors, one number at a time."""
    contexts, weights = [], []
    for b in range(len(query)):
        for q in query[b]:
            e = [
                score(q, key[b, j]).exp() if mask[b, j] else torch.zeros((), dtype=q.dtype) for j in range(len(key[b]))
            ]
            alpha = torch.stack(e) / sum(e)
            weights.append(alpha)
            contexts.append(sum(a * v for a, v in zip(alpha, value[b])))
    return [torch.stack(x).unflatten(0, query.shape[:2]) for x in (contexts, weights)]


def dot_score(q, k):
    return sum(a * b for a, b in zip(q, k)) / math.sqrt(len(q))


def compare(ours, theirs, inputs):
    """Outputs and gradients agree. Each is a function of copies of the inputs that returns contexts and weights."""
    found = []
    for run in (ours, theirs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        contexts, weights = run(*leaves)
        tilt = torch.linspace(-1, 2, contexts.numel(), dtype=contexts.dtype).view_as(contexts)
        total = (contexts * tilt).sum() + (weights**2).sum()
        found.append([contexts, weights, *torch.autograd.grad(total, leaves, allow_unused=True)])
    for mine, other in zip(*found):
        torch.testing.assert_close(mine, other, **EXACT)


@pytest.mark.parametrize("B, T, S, d, M", SIZES)
@pytest.mark.parametrize("scaled", [True, False])
def test_dot_attention_equals_a_loop(book, B, T, S, d, M, scaled):
    query, memory, _, mask = example(B, T, S, d)
    factor = 1 if scaled else math.sqrt(d)
    compare(
        lambda q, m: book["DotAttention"](scaled)(q, m, mask),
        lambda q, m: by_loops(lambda a, b: factor * dot_score(a, b), q, m, m, mask),
        [query, memory],
    )


@pytest.mark.parametrize("B, T, S, d, M", SIZES)
def test_general_attention_equals_a_loop(book, B, T, S, d, M):
    """Query and memory of different widths; the gradient of the matrix too."""
    query, _, memory, mask = example(B, T, S, d, M)
    general = book["GeneralAttention"](d, M).double()
    assert general.W.weight.shape == (d, M) and general.W.bias is None

    def ours(q, m, W):
        return torch.func.functional_call(general, {"W.weight": W}, (q, m, mask))

    def loops(q, m, W):
        return by_loops(lambda a, b: dot_score(a, W @ b), q, m, m, mask)

    compare(ours, loops, [query, memory, general.W.weight.detach()])


@pytest.mark.parametrize("B, T, S, d, M", SIZES)
def test_attend_equals_a_loop(book, B, T, S, d, M):
    query, key, value, mask = example(B, T, S, d, M)
    compare(
        lambda q, k, v: book["attend"](q, k, v, mask[:, None]),
        lambda q, k, v: by_loops(dot_score, q, k, v, mask),
        [query, key, value],
    )


@pytest.mark.parametrize("B, T, S, d, M", SIZES)
@pytest.mark.parametrize("lead", [(), (3,), (2, 4)])
@pytest.mark.parametrize("masked", ["no mask", "one mask for all", "a mask for each query", "full"])
def test_attend_equals_pytorchs(book, B, T, S, d, M, lead, masked):
    """Any leading axes; the mask broadcasts; True attends in both."""
    torch.manual_seed(B + T + S)
    q, k, v = (torch.randn(*lead, n, w, dtype=torch.float64) for n, w in [(T, d), (S, d), (S, M)])
    mask = {
        "no mask": None,
        "one mask for all": torch.rand(1, S) < 0.5,
        "a mask for each query": torch.rand(T, S) < 0.5,
        "full": torch.rand(*lead, T, S) < 0.5,
    }[masked]
    if mask is not None:
        mask[..., 0] = True
    ours = [x.clone().requires_grad_() for x in (q, k, v)]
    theirs = [x.clone().requires_grad_() for x in (q, k, v)]
    mine, weights = book["attend"](*ours, mask)
    other = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
    assert mine.shape == (*lead, T, M) and weights.shape == (*lead, T, S)
    torch.testing.assert_close(mine, other, **EXACT)
    for a, b in zip(torch.autograd.grad((mine**2).sum(), ours), torch.autograd.grad((other**2).sum(), theirs)):
        torch.testing.assert_close(a, b, **EXACT)


def every_attention(book, d):
    return {
        "dot": book["DotAttention"](),
        "dot, unscaled": book["DotAttention"](scaled=False),
        "general": book["GeneralAttention"](d, d).double(),
        "attend": lambda q, m, mask: book["attend"](q, m, m, mask[:, None]),
    }


@pytest.mark.parametrize("name", ["dot", "dot, unscaled", "general", "attend"])
def test_weights_are_shares_of_what_may_be_seen(book, name):
    """They sum to one over the memory's places, and a masked place weighs exactly nothing, whatever stands there."""
    query, memory, _, mask = example(4, 5, 7, 6)
    attention = every_attention(book, 6)[name]
    contexts, weights = attention(query, memory, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 5, dtype=torch.float64), **EXACT)
    assert (weights >= 0).all() and (weights[~mask[:, None].expand_as(weights)] == 0).all()
    assert (weights[mask[:, None].expand_as(weights)] > 0).all()
    rubbish = memory.masked_fill(~mask[..., None], 1e6)
    torch.testing.assert_close(attention(query, rubbish, mask)[0], contexts, **EXACT)


@pytest.mark.parametrize("name", ["dot", "dot, unscaled", "attend"])
def test_a_masked_place_loses_against_the_lowest_score(book, name):
    """However far below zero the real scores are: a finite number in place of minus infinity would win here."""
    query, memory = torch.full((1, 2, 4), 1e6).double(), torch.full((1, 3, 4), -1e6).double()
    mask = torch.tensor([[True, True, False]])
    weights = every_attention(book, 4)[name](query, memory, mask)[1]
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.5, 0.0]).double().expand(1, 2, 3), **EXACT)


def test_a_query_that_may_attend_nowhere_gives_nan_and_only_there(book):
    query, memory, _, mask = example(2, 3, 4, 6)
    whole = every_attention(book, 6)["attend"]
    mask = torch.tensor([[False] * 4, [True, False, True, False]])
    contexts, weights = whole(query, memory, mask)
    assert contexts[0].isnan().all() and weights[0].isnan().all()
    for mine, other in zip((contexts, weights), whole(query[1:], memory[1:], mask[1:])):
        torch.testing.assert_close(mine[1:], other, **EXACT)


@pytest.mark.parametrize("name", ["dot", "dot, unscaled", "general"])
def test_a_wrong_mask_is_refused_and_none_is_everything(book, name):
    query, memory, _, mask = example(2, 3, 4, 6)
    attention = every_attention(book, 6)[name]
    with pytest.raises(ValueError, match="row 0 of the mask is all padding"):
        attention(query, memory, torch.tensor([[False] * 4, [True, False, True, False]]))
    for numbers in (mask.double(), mask.long(), mask.byte()):
        with pytest.raises(ValueError, match="the mask is boolean"):
            attention(query, memory, numbers)
    for other in (mask[:1], mask[:, :1], mask[:, None], mask.T):
        with pytest.raises(ValueError, match=r"expected a mask of shape \(2, 4\)"):
            attention(query, memory, other)
    for mine, full in zip(attention(query, memory, None), attention(query, memory, torch.ones_like(mask))):
        assert torch.equal(mine, full)


@pytest.mark.parametrize("kind", [torch.float64, torch.int64, torch.uint8])
def test_attend_refuses_a_mask_of_numbers(book, kind):
    query, key, value, mask = example(2, 3, 5, 4)
    with pytest.raises(ValueError, match=r"a boolean mask that broadcasts to \(2, 3, 5\).* not torch"):
        book["attend"](query, key, value, mask[:, None].to(kind))


@pytest.mark.parametrize("shape", [(4, 5), (3, 4), (3, 3, 5), (2, 2, 5), (1, 2, 3, 5), (1, 1, 1, 5), (2,)])
def test_attend_refuses_a_mask_that_does_not_fit_its_scores(book, shape):
    """A mask with more axes than the scores would widen them in silence."""
    query, key, value, _ = example(2, 3, 5, 4)
    with pytest.raises(ValueError, match=r"broadcasts to \(2, 3, 5\)"):
        book["attend"](query, key, value, torch.ones(shape, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(), (5,), (1,), (3, 1), (2, 1, 1), (1, 3, 5)])
def test_attend_takes_any_mask_that_broadcasts(book, shape):
    query, key, value, _ = example(2, 3, 5, 4)
    full = book["attend"](query, key, value)
    for mine, other in zip(book["attend"](query, key, value, torch.ones(shape, dtype=torch.bool)), full):
        assert torch.equal(mine, other)


def test_general_with_the_identity_is_the_dot_product(book):
    query, memory, _, mask = example(3, 4, 5, 6)
    general = book["GeneralAttention"](6, 6).double()
    with torch.no_grad():
        general.W.weight.copy_(torch.eye(6))
    for mine, other in zip(general(query, memory, mask), book["DotAttention"]()(query, memory, mask)):
        torch.testing.assert_close(mine, other, **EXACT)


def test_dot_and_general_are_special_cases_of_attend(book):
    """The general score is attend with W = W_q^T W_k, and the width of queries and keys is free."""
    query, memory, _, mask = example(3, 4, 5, 6)
    W_q, W_k = torch.randn(2, 2, 6, dtype=torch.float64)  # d = 2
    general = book["GeneralAttention"](6, 6).double()
    with torch.no_grad():
        general.W.weight.copy_(math.sqrt(6 / 2) * W_q.T @ W_k)
    expected = book["attend"](query @ W_q.T, memory @ W_k.T, memory, mask[:, None])
    for mine, other in zip(general(query, memory, mask), expected):
        torch.testing.assert_close(mine, other, **EXACT)


@pytest.mark.parametrize("d", [1, 4, 64])
def test_the_root_is_there(book, d):
    """Scores of sqrt(d) and 0 become 1 and 0, so the first place has e / (e + 1); unscaled it has more, past d = 1."""
    query = torch.ones(1, 1, d, dtype=torch.float64)
    memory = torch.stack([torch.full((d,), 1 / math.sqrt(d)), torch.zeros(d)])[None].double()
    mask = torch.ones(1, 2, dtype=torch.bool)
    for attention in [every_attention(book, d)["dot"], every_attention(book, d)["attend"]]:
        assert attention(query, memory, mask)[1][0, 0, 0].item() == pytest.approx(math.e / (math.e + 1), abs=1e-12)
    unscaled = book["DotAttention"](scaled=False)(query, memory, mask)[1][0, 0, 0].item()
    assert unscaled == pytest.approx(1 / (1 + math.exp(-math.sqrt(d))), abs=1e-12)


def test_the_softmax_runs_over_the_memory(book):
    """As many queries as keys hides a softmax over the wrong axis from a check of shapes, and not from one of sums."""
    query, key, value, mask = example(2, 5, 5, 4)
    weights = book["attend"](query, key, value)[1]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5, dtype=torch.float64), **EXACT)
    assert (weights.sum(-2) - 1).abs().max() > 0.1


def test_values_may_have_a_width_of_their_own(book):
    query, key, value, mask = example(2, 3, 5, 4, 9)
    contexts, _ = book["attend"](query, key, value, mask[:, None])
    assert contexts.shape == (2, 3, 9)
    ones = torch.ones_like(value)
    torch.testing.assert_close(book["attend"](query, key, ones)[0], ones[:, :1].expand(2, 3, 9), **EXACT)


def test_queries_do_not_see_each_other(book):
    query, key, value, mask = example(2, 4, 5, 6)
    whole = book["attend"](query, key, value)[0]
    for t in range(4):
        torch.testing.assert_close(book["attend"](query[:, t : t + 1], key, value)[0], whole[:, t : t + 1], **EXACT)


@pytest.mark.parametrize("widths", [(4, 5), (1, 3), (8, 1)])
def test_unequal_widths_are_refused(book, widths):
    q, k = (torch.zeros(2, 3, width) for width in widths)
    with pytest.raises(ValueError, match=f"queries of {widths[0]} and keys of {widths[1]}"):
        book["attend"](q, k, torch.zeros(2, 3, 7))


def test_a_dictionary_in_the_limit(book):
    """Scores far apart: the value of the nearest key; scores all equal: the mean of the values."""
    keys = torch.eye(5, dtype=torch.float64)
    values = torch.arange(5.0, dtype=torch.float64)[:, None]
    torch.testing.assert_close(book["attend"](1e3 * keys, keys, values)[0], values, **EXACT)
    mean = values.mean().expand(1, 1)
    torch.testing.assert_close(book["attend"](torch.zeros(1, 5, dtype=torch.float64), keys, values)[0], mean, **EXACT)
