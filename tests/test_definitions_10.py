"""Chapter 10's definitions: the causal mask, and attention in several heads."""

import itertools
import math

import pytest
import torch
from torch import nn

EXACT = {"rtol": 1e-10, "atol": 1e-10}
SIZES = [
    (1, 1, 1, 1, 1),
    (2, 3, 5, 4, 2),
    (3, 5, 5, 6, 3),
    (1, 1, 7, 8, 8),
    (4, 6, 2, 12, 1),
    (2, 7, 4, 8, 2),
]  # B T S D H


def layer_of(book, D, H, seed=0):
    """A layer in 64 bits whose biases are as large as its weights, so that none goes unnoticed."""
    torch.manual_seed(seed)
    layer = book["MultiHeadAttention"](D, H).double()
    for name, p in layer.named_parameters():
        nn.init.normal_(p, std=1 / math.sqrt(D) if name.endswith("weight") else 1.0)
    return layer


def example(B, T, S, D):
    """Query (B, T, D), memory (B, S, D), and a mask (B, T, S) that differs from row to row and has a place in each."""
    torch.manual_seed(1000 * B + 100 * T + 10 * S + D)
    query, memory = torch.randn(B, T, D, dtype=torch.float64), torch.randn(B, S, D, dtype=torch.float64)
    mask = torch.rand(B, T, S) < 0.5
    mask.scatter_(2, torch.randint(S, (B, T, 1)), True)
    return query, memory, mask


def by_loops(layer, H, query, memory, mask):
    """Output and weights, one head, one query and one key at a time."""
    B, T, D = query.shape
    S, d = memory.shape[1], D // H
    W_q, W_k, W_v, W_o = (getattr(layer, name) for name in ("query", "key", "value", "output"))
    outputs, weights = [], []
    for b, t in itertools.product(range(B), range(T)):
        mixtures = []
        for h in range(H):
            own = slice(h * d, (h + 1) * d)
            q = W_q.weight[own] @ query[b, t] + W_q.bias[own]
            e = []
            for j in range(S):
                k = W_k.weight[own] @ memory[b, j] + W_k.bias[own]
                score = sum(q[i] * k[i] for i in range(d)) / math.sqrt(d)
                e.append(score.exp() if mask[b, t, j] else torch.zeros((), dtype=q.dtype))
            alpha = torch.stack(e) / sum(e)
            v = [W_v.weight[own] @ memory[b, j] + W_v.bias[own] for j in range(S)]
            mixtures.append(sum(alpha[j] * v[j] for j in range(S)))
            weights.append(alpha)
        outputs.append(W_o.weight @ torch.cat(mixtures) + W_o.bias)
    output = torch.stack(outputs).view(B, T, D)
    return output, torch.stack(weights).view(B, T, H, S).transpose(1, 2)


def gradients(output, weights, leaves):
    tilt = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return torch.autograd.grad((output * tilt).sum() + (weights**3).sum(), leaves)


@pytest.mark.parametrize("B, T, S, D, H", SIZES)
def test_it_equals_loops_over_heads_queries_and_keys(book, B, T, S, D, H):
    layer = layer_of(book, D, H)
    query, memory, mask = example(B, T, S, D)
    leaves = [query.requires_grad_(), memory.requires_grad_(), *layer.parameters()]
    output, weights = layer(query, memory, mask)
    assert output.shape == (B, T, D) and weights.shape == (B, H, T, S)
    expected = by_loops(layer, H, query, memory, mask)
    for mine, other in zip((output, weights), expected):
        torch.testing.assert_close(mine, other, **EXACT)
    for mine, other in zip(gradients(output, weights, leaves), gradients(*expected, leaves)):
        torch.testing.assert_close(mine, other, **EXACT)


@pytest.mark.parametrize("B, T, S, D, H", SIZES)
@pytest.mark.parametrize("dtype, close", [(torch.float64, EXACT), (torch.float32, {"rtol": 1e-4, "atol": 1e-4})])
def test_it_equals_pytorchs_layer(book, B, T, S, D, H, dtype, close):
    """Weights copied, True turned into its opposite; padding and a mask for pairs of places."""
    ours = layer_of(book, D, H).to(dtype)
    theirs = nn.MultiheadAttention(D, H, batch_first=True).to(dtype)
    maps = [ours.query, ours.key, ours.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        theirs.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    query, memory, _ = example(B, T, S, D)
    query, memory = (x.to(dtype).requires_grad_() for x in (query, memory))
    real = torch.arange(S) < torch.tensor([1 + (3 * b + S - 1) % S for b in range(B)])[:, None]  # (B, S)
    pairs = torch.rand(T, S) < 0.5
    pairs[:, 0] = True
    mine = ours(query, memory, pairs & real[:, None])
    other = theirs(query, memory, memory, key_padding_mask=~real, attn_mask=~pairs, average_attn_weights=False)
    for a, b in zip(mine, other):
        torch.testing.assert_close(a, b, **close)
    mine_g = gradients(*mine, [query, memory, *(m.weight for m in maps), *(m.bias for m in maps), ours.output.weight])
    other_g = gradients(*other, [query, memory, theirs.in_proj_weight, theirs.in_proj_bias, theirs.out_proj.weight])
    mine_g = [*mine_g[:2], torch.cat(mine_g[2:5]), torch.cat(mine_g[5:8]), mine_g[8]]
    for a, b in zip(mine_g, other_g):
        torch.testing.assert_close(a, b, **close)


def test_a_mask_of_each_shape_means_the_same(book):
    """(1, T, S) for all words, (B, 1, S) for all queries, (B, T, S) for each, None for all: as if written out."""
    B, T, S, D = 3, 4, 6, 8
    layer = layer_of(book, D, 2)
    query, memory, full = example(B, T, S, D)
    padding = (torch.arange(S) < torch.tensor([6, 2, 4])[:, None])[:, None]  # (B, 1, S)
    for mask in [full[:1], padding, full, full[:1] & padding, torch.ones(1, 1, S, dtype=torch.bool), None]:
        written_out = torch.ones(B, T, S, dtype=torch.bool) if mask is None else mask.expand(B, T, S).clone()
        for mine, other in zip(layer(query, memory, mask), layer(query, memory, written_out)):
            torch.testing.assert_close(mine, other, **EXACT)
        weights = layer(query, memory, mask)[1]
        assert weights.shape == (B, 2, T, S)
        assert torch.equal(weights > 0, written_out[:, None].expand(B, 2, T, S))
        sums = written_out.any(-1)[:, None].expand(B, 2, T).double()
        torch.testing.assert_close(weights.sum(-1), sums, **EXACT)


def test_each_word_of_a_batch_has_its_own_mask(book):
    """A batch gives what its words give one by one; with as many heads as words a mask on the wrong axis would fit."""
    layer = layer_of(book, 8, 2)
    query, memory, mask = example(2, 3, 3, 8)
    output, weights = layer(query, memory, mask)
    for b in range(2):
        alone, of_one = layer(query[b : b + 1], memory[b : b + 1], mask[b : b + 1])
        torch.testing.assert_close(output[b], alone[0], **EXACT)
        torch.testing.assert_close(weights[b], of_one[0], **EXACT)


def test_more_padding_changes_nothing(book):
    layer = layer_of(book, 8, 4)
    query, memory, _ = example(3, 4, 5, 8)
    mask = (torch.arange(5) < torch.tensor([5, 2, 3])[:, None])[:, None]
    output, weights = layer(query, memory, mask)
    longer = torch.cat([memory, 1e3 * torch.randn(3, 4, 8, dtype=torch.float64)], dim=1)
    more, more_weights = layer(query, longer, nn.functional.pad(mask, (0, 4)))
    torch.testing.assert_close(more, output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(more_weights[..., :5], weights, rtol=1e-12, atol=1e-12)
    assert (more_weights[..., 5:] == 0).all()


def test_a_query_that_may_look_nowhere(book):
    """Weights of exactly 0, the output's bias, finite gradients; the other queries as if nothing had happened."""
    layer = layer_of(book, 6, 3)
    query, memory, mask = example(2, 4, 5, 6)
    mask[0, 2] = False
    mask[1] = False
    query, memory = query.requires_grad_(), memory.requires_grad_()
    output, weights = layer(query, memory, mask)
    for b, t in [(0, 2), (1, 0), (1, 3)]:
        assert (weights[b, :, t] == 0).all()
        torch.testing.assert_close(output[b, t], layer.output.bias, **EXACT)
    found = gradients(output, weights, [query, memory, *layer.parameters()])
    assert all(torch.isfinite(g).all() for g in (output, weights, *found))
    assert (found[0][0, 2] == 0).all() and (found[1][1] == 0).all()  # from there nothing is learned
    seeing = [0, 1, 3]
    alone, _ = layer(query[:1, seeing], memory[:1], mask[:1, seeing])
    torch.testing.assert_close(output[:1, seeing], alone, **EXACT)


@pytest.mark.parametrize("B, T, S", [(4, 4, 4), (4, 4, 6), (3, 4, 5), (1, 1, 5)])
def test_a_mask_needs_three_dimensions(book, B, T, S):
    """One for padding (B, S) where B = T would pass for one of pairs (T, S), and the other way round."""
    layer = layer_of(book, 8, 2)
    query, memory, full = example(B, T, S, 8)
    shapes = [(B, S), (T, S), (1, S), (S,), (B, 1, T, S), (B, T, 1, S), (B, T, S + 1), (B + 2, T, S), (B, T + 1, S)]
    for shape in shapes:
        with pytest.raises(ValueError, match=rf"shape \({B} or 1, {T} or 1, {S}\).*padding\[:, None\].*pairs\[None\]"):
            layer(query, memory, torch.ones(shape, dtype=torch.bool))
    for shape in [(B, T, S), (1, T, S), (B, 1, S), (1, 1, S)]:
        assert layer(query, memory, torch.ones(shape, dtype=torch.bool))[0].shape == (B, T, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.uint8])
def test_a_mask_of_numbers_is_refused(book, dtype):
    """0 and 1, or 0 and minus infinity: what it would mean is not clear."""
    query, memory, full = example(2, 3, 4, 8)
    with pytest.raises(ValueError, match=f"a mask of torch.bool .* got {dtype} and"):
        layer_of(book, 8, 2)(query, memory, full.to(dtype))


def test_without_a_mask_all_is_seen_on_any_device(book):
    layer = book["MultiHeadAttention"](8, 2).to("meta")
    x = torch.randn(2, 3, 8, device="meta")
    assert layer(x, x)[1].shape == (2, 2, 3, 3) and layer(x, x)[0].device.type == "meta"


@pytest.mark.parametrize("D, H", [(8, 3), (5, 2), (4, 8)])
def test_heads_that_do_not_divide_the_width_are_refused(book, D, H):
    with pytest.raises(ValueError, match=f"{H} heads cannot share {D}"):
        book["MultiHeadAttention"](D, H)


@pytest.mark.parametrize("D", [1, 4, 12])
def test_the_count_of_numbers_does_not_depend_on_the_heads(book, D):
    for H in (h for h in range(1, D + 1) if D % h == 0):
        layer = book["MultiHeadAttention"](D, H)
        assert sum(p.numel() for p in layer.parameters()) == 4 * (D**2 + D)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_causal_mask(book, length):
    mask = book["causal_mask"](length)
    assert mask.dtype == torch.bool and mask.shape == (length, length)
    for t, j in itertools.product(range(length), repeat=2):
        assert mask[t, j] == (j <= t)
    assert book["causal_mask"](length, torch.device("meta")).device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_causality_by_intervention_through_two_layers(book, dtype):
    """Change one place: earlier outputs keep every bit, that one and all later ones move. Without the mask all move."""
    first, second = (layer_of(book, 8, 2, seed).to(dtype) for seed in (1, 2))
    x = example(2, 6, 6, 8)[0].to(dtype)

    def through(x, mask):
        x = x + first(x, x, mask[None])[0]
        return x + second(x, x, mask[None])[0]

    masks = {"causal": book["causal_mask"](6), "none": torch.ones(6, 6, dtype=torch.bool)}
    before = {name: through(x, mask) for name, mask in masks.items()}
    for j in range(6):
        changed = x.clone()
        changed[:, j] += 1
        after = {name: through(changed, mask) for name, mask in masks.items()}
        for t in range(6):
            assert torch.equal(before["causal"][:, t], after["causal"][:, t]) == (t < j)
            assert not torch.equal(before["none"][:, t], after["none"][:, t])


def test_without_a_mask_it_is_equivariant_and_with_the_causal_mask_not(book):
    layer = layer_of(book, 8, 2)
    x = example(2, 4, 4, 8)[0]
    everywhere, causal = torch.ones(1, 4, 4, dtype=torch.bool), book["causal_mask"](4)[None]
    (plain, plain_weights), (ordered, _) = layer(x, x, everywhere), layer(x, x, causal)
    for order in map(list, itertools.permutations(range(4))):
        permuted, weights = layer(x[:, order], x[:, order], everywhere)
        torch.testing.assert_close(permuted, plain[:, order], **EXACT)
        torch.testing.assert_close(weights, plain_weights[:, :, order][..., order], **EXACT)
        moved = (layer(x[:, order], x[:, order], causal)[0] - ordered[:, order]).abs().max()
        assert (moved > 1e-3) == (order != [0, 1, 2, 3])


def test_the_order_of_the_memory_does_not_matter(book):
    layer = layer_of(book, 8, 4)
    query, memory, mask = example(2, 3, 6, 8)
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    torch.testing.assert_close(
        layer(query, memory[:, order], mask[..., order])[0], layer(query, memory, mask)[0], **EXACT
    )


@pytest.mark.parametrize("name", ["query", "key"])
def test_heads_are_independent(book, name):
    """Change what one head asks or is found by: the other heads' weights keep every bit."""
    layer = layer_of(book, 12, 3)
    query, memory, mask = example(2, 4, 5, 12)
    mask[:] = True
    before = layer(query, memory, mask)[1]
    for h in range(3):
        changed = layer_of(book, 12, 3)
        with torch.no_grad():
            getattr(changed, name).weight[4 * h : 4 * (h + 1)] += 0.5
        after = changed(query, memory, mask)[1]
        for other in range(3):
            assert torch.equal(before[:, other], after[:, other]) == (other != h)


def test_the_root_is_that_of_a_head(book):
    """Keys of entries 1 and queries of entries r: scores r d / sqrt(d) against 0, whatever D is."""
    D, H = 16, 4
    layer = layer_of(book, D, H)
    with torch.no_grad():
        for part in (layer.query, layer.key):
            part.weight.copy_(torch.eye(D))
            part.bias.zero_()
    query = torch.full((1, 1, D), 0.5, dtype=torch.float64)
    memory = torch.stack([torch.ones(D), torch.zeros(D)])[None].double()
    weights = layer(query, memory, torch.ones(1, 1, 2, dtype=torch.bool))[1]
    expected = 1 / (1 + math.exp(-0.5 * 4 / 2))
    torch.testing.assert_close(weights[..., 0], torch.full((1, H, 1), expected, dtype=torch.float64), **EXACT)
