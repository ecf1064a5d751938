"""Chapter 9's definitions: attention in one function, the dot score, and queries, keys and values of their own."""

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
@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
def test_dot_attention_equals_a_loop(book, B, T, S, d, M, scale):
    query, memory, _, mask = example(B, T, S, d)
    factor = 1 if scale is None else scale * math.sqrt(d)
    compare(
        lambda q, m: book["DotAttention"](scale)(q, m, mask),
        lambda q, m: by_loops(lambda a, b: factor * dot_score(a, b), q, m, m, mask),
        [query, memory],
    )


def test_a_scale_that_is_a_parameter_is_learned(book):
    query, memory, _, mask = example(3, 4, 5, 6)
    attention = book["DotAttention"](torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64)))
    assert [name for name, _ in attention.named_parameters()] == ["scale"]
    contexts, _ = attention(query, memory, mask)
    (slope,) = torch.autograd.grad((contexts**3).sum(), [attention.scale])
    low, high = ((book["DotAttention"](0.7 + step)(query, memory, mask)[0] ** 3).sum() for step in (-1e-5, 1e-5))
    assert slope.item() == pytest.approx((high - low).item() / 2e-5, rel=1e-6)
    assert not list(book["DotAttention"]().parameters()) and not list(book["DotAttention"](0.3).parameters())


def projected(book, N, M, d, tied=False):
    torch.manual_seed(N + M + d)
    return book["ProjectedAttention"](N, M, d, tied).double()


@pytest.mark.parametrize("B, T, S, d, M", SIZES)
@pytest.mark.parametrize("tied", [False, True])
def test_projected_attention_equals_a_loop(book, B, T, S, d, M, tied):
    """Query, memory and width all differ; the gradients of the matrices too."""
    query, _, memory, mask = example(B, T, S, d, M)
    width = d + 2
    attention = projected(book, d, M, width, tied)
    names = ["W_q", "W_k", "W_o"] if tied else ["W_q", "W_k", "W_v", "W_o"]
    assert [name for name, _ in attention.named_parameters()] == [f"{name}.weight" for name in names]

    def ours(q, m, *matrices):
        weights = {f"{name}.weight": W for name, W in zip(names, matrices)}
        return torch.func.functional_call(attention, weights, (q, m, mask))

    def loops(q, m, *matrices):
        W = dict(zip(names, matrices))
        values = m @ W["W_k" if tied else "W_v"].T
        contexts, weights = by_loops(dot_score, q @ W["W_q"].T, m @ W["W_k"].T, values, mask)
        return contexts @ W["W_o"].T, weights

    compare(ours, loops, [query, memory, *(W.detach() for W in attention.parameters())])


def test_projected_attention_equals_pytorchs(book):
    query, _, memory, mask = example(3, 4, 6, 5, 7)
    attention = projected(book, 5, 7, 8)
    q, k, v = attention.W_q(query), attention.W_k(memory), attention.W_v(memory)
    theirs = attention.W_o(F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None]))
    torch.testing.assert_close(attention(query, memory, mask)[0], theirs, **EXACT)


def test_tied_projections_have_a_matrix_less(book):
    sizes = {tied: sum(p.numel() for p in projected(book, 10, 6, 4, tied).parameters()) for tied in (False, True)}
    assert sizes == {False: 4 * (10 + 3 * 6), True: 4 * (10 + 2 * 6)}


def test_one_vector_twice_as_wide_does_the_work_of_two(book):
    """[key; value] for both, with a query of zeros where the value stands."""
    query, _, memory, mask = example(3, 4, 6, 5, 7)
    two, one = projected(book, 5, 7, 3), projected(book, 5, 7, 6, tied=True)
    with torch.no_grad():
        one.W_k.weight.copy_(torch.cat([two.W_k.weight, two.W_v.weight]))
        one.W_q.weight.copy_(torch.cat([math.sqrt(2) * two.W_q.weight, torch.zeros(3, 5)]))
        one.W_o.weight.copy_(torch.cat([torch.zeros(7, 3), two.W_o.weight], dim=1))
    for mine, other in zip(one(query, memory, mask), two(query, memory, mask)):
        torch.testing.assert_close(mine, other, **EXACT)


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
        "dot, unscaled": book["DotAttention"](scale=1.0),
        "projected": projected(book, d, d, d + 1),
        "projected, tied": projected(book, d, d, d + 1, tied=True),
        "attend": lambda q, m, mask: book["attend"](q, m, m, mask[:, None]),
    }


@pytest.mark.parametrize("name", ["dot", "dot, unscaled", "projected", "projected, tied", "attend"])
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


@pytest.mark.parametrize("name", ["dot", "dot, unscaled", "projected", "projected, tied"])
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


def test_projected_with_identities_is_the_dot_product(book):
    query, memory, _, mask = example(3, 4, 5, 6)
    attention = projected(book, 6, 6, 6)
    with torch.no_grad():
        for W in attention.parameters():
            W.copy_(torch.eye(6))
    for mine, other in zip(attention(query, memory, mask), book["DotAttention"]()(query, memory, mask)):
        torch.testing.assert_close(mine, other, **EXACT)


@pytest.mark.parametrize("scale", [1.0, 0.3, torch.tensor(2.0, dtype=torch.float64)])
def test_a_scale_multiplies_what_is_not_divided(book, scale):
    query, key, value, mask = example(2, 3, 5, 4, 6)
    mine = book["attend"](query, key, value, mask[:, None], scale)
    theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None], scale=float(scale))
    torch.testing.assert_close(mine[0], theirs, **EXACT)
    root = book["attend"](query, key, value, mask[:, None], 1 / math.sqrt(4))
    for a, b in zip(root, book["attend"](query, key, value, mask[:, None])):
        torch.testing.assert_close(a, b, **EXACT)


@pytest.mark.parametrize("d", [1, 4, 64])
def test_the_root_is_there(book, d):
    """Scores of sqrt(d) and 0 become 1 and 0, so the first place has e / (e + 1); unscaled it has more, past d = 1."""
    query = torch.ones(1, 1, d, dtype=torch.float64)
    memory = torch.stack([torch.full((d,), 1 / math.sqrt(d)), torch.zeros(d)])[None].double()
    mask = torch.ones(1, 2, dtype=torch.bool)
    for attention in [every_attention(book, d)["dot"], every_attention(book, d)["attend"]]:
        assert attention(query, memory, mask)[1][0, 0, 0].item() == pytest.approx(math.e / (math.e + 1), abs=1e-12)
    unscaled = book["DotAttention"](scale=1.0)(query, memory, mask)[1][0, 0, 0].item()
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
