"""Chapter 14's definitions: the parts of a decoder-only Transformer, its cache, its reader, and how it is sampled."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel

EXACT = {"rtol": 1e-10, "atol": 1e-10}
SHAPES = [(1, 1, 2), (2, 3, 8), (4, 7, 6), (1, 5, 24)]  # B, T, D
GROUPED = [(4, 1, 1), (8, 2, 2), (8, 2, 1), (24, 6, 3), (24, 6, 6), (24, 6, 1), (12, 3, 1)]  # D, H, G
MODELS = [(4, True), (2, True), (1, True), (4, False), (2, False)]  # groups of four heads, rotary


def gradients(output, inputs):
    tilt = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return torch.autograd.grad((output * tilt).sum(), inputs, retain_graph=True)


def small(book, n_groups=4, rotary=True, seed=0, **more):
    """A random network in 64 bits, every number of it random."""
    torch.manual_seed(seed)
    model = book["GPT"](11, 16, 4, 12, 3, n_groups=n_groups, rotary=rotary, longest=24, **more).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn_like(p))
    return model


def some_ids(B, T, seed=0):
    return torch.randint(3, 11, (B, T), generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------- the parts


@pytest.mark.parametrize("B, T, D", SHAPES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_rms_norm_equals_pytorchs(book, B, T, D, scale):
    """Short vectors too, where the small constant under the root decides."""
    torch.manual_seed(D)
    ours, theirs = book["RMSNorm"](D).double(), nn.RMSNorm(D, eps=1e-6).double()
    with torch.no_grad():
        theirs.weight.copy_(ours.weight.normal_())
    x = (scale * torch.randn(B, T, D, dtype=torch.float64) + scale).requires_grad_()
    for a, b in zip(*([norm(x), *gradients(norm(x), [x, norm.weight])] for norm in (ours, theirs))):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10 / scale)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 300.0, 20_000.0])
def test_rms_norm_computes_in_at_least_32_bits(book, dtype, scale):
    """The square of 300 is no number of float16, and what leaves has the dtype of what enters."""
    torch.manual_seed(0)
    norm = book["RMSNorm"](16)
    with torch.no_grad():
        norm.weight.normal_()
    x = (scale * torch.randn(3, 16).clamp(-3, 3)).to(dtype)
    for weights in (norm.to(dtype), norm.float()):
        found = weights(x)
        assert found.dtype == dtype and found.isfinite().all()
        expected = copy.deepcopy(weights).double()(x.double()).to(dtype)
        torch.testing.assert_close(found, expected)
    assert book["RMSNorm"](4).double()(torch.full((4,), 1e200, dtype=torch.float64) / 1e100).dtype == torch.float64


@pytest.mark.parametrize("B, T, D", SHAPES)
def test_swiglu_by_hand(book, B, T, D):
    torch.manual_seed(D)
    network = book["SwiGLU"](D, 5).double()
    x = torch.randn(B, T, D, dtype=torch.float64)
    gate, expand, shrink = (m.weight for m in (network.gate, network.expand, network.shrink))
    expected = torch.zeros_like(x)
    for unit in range(5):
        z = (x * gate[unit]).sum(-1)
        expected += (z / (1 + torch.exp(-z)) * (x * expand[unit]).sum(-1))[..., None] * shrink[:, unit]
    torch.testing.assert_close(network(x), expected, **EXACT)
    assert sum(p.numel() for p in network.parameters()) == 3 * D * 5


@pytest.mark.parametrize("d", [2, 4, 10])
def test_rotate_by_is_chapter_11s_rotation_at_any_position(book, d):
    torch.manual_seed(d)
    x, table = torch.randn(2, 3, 20, d, dtype=torch.float64), book["sinusoids"](20, d, dtype=torch.float64)
    whole = book["rotate"](x)
    torch.testing.assert_close(book["rotate_by"](x, table), whole, **EXACT)
    for start, stop in [(0, 1), (13, 14), (4, 11), (20, 20)]:
        turned = book["rotate_by"](x[..., start:stop, :], table[start:stop])
        torch.testing.assert_close(turned, whole[..., start:stop, :], **EXACT)


@pytest.mark.parametrize("shape", [(1, 6), (5, 4), (4, 6, 1), (6,)])
def test_a_table_of_another_shape_is_refused(book, shape):
    """One row for all vectors would be taken in silence otherwise."""
    with pytest.raises(ValueError, match=r"table must be \(4, 6\)"):
        book["rotate_by"](torch.zeros(2, 4, 6), torch.zeros(shape))


def attention_example(book, D, H, G, T=6, B=3):
    torch.manual_seed(100 * D + 10 * H + G)
    layer = book["GroupedQueryAttention"](D, H, G).double()
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = (torch.rand(B, T, T) > 0.4).tril() | torch.eye(T, dtype=torch.bool)
    return layer, x, mask, x.new_zeros(B, 2, G, 0, D // H)


@pytest.mark.parametrize("D, H, G", GROUPED)
def test_grouped_attention_equals_pytorchs(book, D, H, G):
    """Output, weights that sum to one, gradients, and the keys and values that it hands on; masks differ by row."""
    layer, x, mask, nothing = attention_example(book, D, H, G)
    found, kept = layer(x, mask, None, nothing)
    q, k, v = (project(x).view(3, 6, -1, D // H).transpose(1, 2) for project in (layer.query, layer.key, layer.value))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], enable_gqa=True)
    expected = layer.output(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(kept, torch.stack([k, v], dim=1), **EXACT)
    for a, b in zip(*(gradients(y, list(layer.parameters())) for y in (found, expected))):
        torch.testing.assert_close(a, b, **EXACT)
    assert layer.weights.shape == (3, H, 6, 6) and not layer.weights[~mask[:, None].expand(3, H, 6, 6)].any()
    torch.testing.assert_close(layer.weights.sum(-1), torch.ones(3, H, 6, dtype=torch.float64), **EXACT)
    assert all(m.bias is None for m in (layer.query, layer.key, layer.value, layer.output))


@pytest.mark.parametrize("D, H", [(8, 2), (24, 6), (12, 1)])
def test_as_many_groups_as_heads_is_multi_head_attention(book, D, H):
    layer, x, mask, nothing = attention_example(book, D, H, H)
    plain = book["MultiHeadAttention"](D, H).double()
    with torch.no_grad():
        for name in ("query", "key", "value", "output"):
            getattr(plain, name).weight.copy_(getattr(layer, name).weight)
            getattr(plain, name).bias.zero_()
    torch.testing.assert_close(layer(x, mask, None, nothing)[0], plain(x, x, mask)[0], **EXACT)


def test_a_group_answers_its_own_heads_and_no_others(book):
    layer, x, mask, nothing = attention_example(book, 24, 6, 3)
    layer(x, mask, None, nothing)
    before = layer.weights.clone()
    for group in range(3):
        with torch.no_grad():
            kept = layer.key.weight.clone()
            layer.key.weight[4 * group : 4 * group + 4] += 1  # d = 4
            layer(x, mask, None, nothing)
            layer.key.weight.copy_(kept)
        moved = (layer.weights != before).flatten(2).any(-1).all(0)  # (H,)
        assert moved.tolist() == [head // 2 == group for head in range(6)]


@pytest.mark.parametrize("D, H, G", [(10, 4, 2), (12, 4, 3), (12, 3, 2), (8, 2, 4)])
def test_heads_that_cannot_be_shared_are_refused(book, D, H, G):
    with pytest.raises(ValueError, match=f"{H} heads must divide D = {D}, and {G} groups"):
        book["GroupedQueryAttention"](D, H, G)


@pytest.mark.parametrize("shape", [(3, 6), (6, 6), (1, 6, 6), (3, 6, 5), (3, 1, 6), (3, 1, 6, 6)])
def test_masks_of_another_shape_are_refused(book, shape):
    layer, x, _, nothing = attention_example(book, 12, 6, 3)
    with pytest.raises(ValueError, match=r"mask must be boolean of shape \(3, 6, 6\), not torch.bool of"):
        layer(x, torch.ones(shape, dtype=torch.bool), None, nothing)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.uint8])
def test_masks_that_are_not_boolean_are_refused(book, dtype):
    layer, x, mask, nothing = attention_example(book, 12, 6, 3)
    with pytest.raises(ValueError, match=rf"mask must be boolean of shape \(3, 6, 6\), not {dtype}"):
        layer(x, mask.to(dtype), None, nothing)


def test_a_mask_counts_the_positions_before(book):
    layer, x, mask, nothing = attention_example(book, 12, 6, 3)
    whole, _ = layer(x, mask, None, nothing)
    _, kept = layer(x[:, :4], mask[:, :4, :4], None, nothing)
    torch.testing.assert_close(layer(x[:, 4:], mask[:, 4:], None, kept)[0], whole[:, 4:], **EXACT)
    with pytest.raises(ValueError, match=r"shape \(3, 2, 6\)"):
        layer(x[:, 4:], mask[:, 4:, 4:], None, kept)


# ---------------------------------------------------------------- the whole


@pytest.mark.parametrize("B, T", [(1, 1), (3, 9)])
def test_with_the_older_parts_it_is_pytorchs_encoder_under_a_causal_mask(book, B, T):
    torch.manual_seed(T)
    D, H = 12, 3
    ours = book["GPT"](11, D, H, 20, 2, norm=nn.LayerNorm, network=book["FeedForward"], rotary=False).double()
    layer = nn.TransformerEncoderLayer(D, H, 20, dropout=0.0, batch_first=True, norm_first=True, dtype=torch.float64)
    last = nn.LayerNorm(D, dtype=torch.float64)
    theirs = nn.TransformerEncoder(layer, 2, norm=last, enable_nested_tensor=False)
    same = list(zip(theirs.norm.parameters(), ([p] for p in ours.norm.parameters())))
    for a, b in zip(ours.layers, theirs.layers):
        look = a.attention
        same.append((b.self_attn.in_proj_weight, [m.weight for m in (look.query, look.key, look.value)]))
        same.append((b.self_attn.out_proj.weight, [look.output.weight]))
        modules = [a.network.expand, a.network.shrink, *a.norms]
        for mine, other in zip(modules, [b.linear1, b.linear2, b.norm1, b.norm2]):
            same += [(p, [q]) for p, q in zip(other.parameters(), mine.parameters())]
    with torch.no_grad():
        for p in ours.parameters():
            if p.dim() == 1:
                p.normal_()
        for b in theirs.layers:
            b.self_attn.in_proj_bias.zero_()
            b.self_attn.out_proj.bias.zero_()
        for other, mine in same:
            other.copy_(torch.cat(mine))
    ids = some_ids(B, T)
    entering = ours.embedding(ids) * math.sqrt(D) + ours.positions.weight[:T]
    found = ours(ids)[1]
    told = theirs(entering, mask=~torch.ones(T, T, dtype=torch.bool).tril())
    torch.testing.assert_close(found, told, **EXACT)
    for other, mine in same:
        a = torch.cat(gradients(found, mine))
        torch.testing.assert_close(a, gradients(told, [other])[0], rtol=1e-9, atol=1e-9)


def test_the_table_is_the_output_too(book):
    model = small(book)
    logits, vectors, _ = model(some_ids(2, 5))
    torch.testing.assert_close(logits, vectors @ model.embedding.weight.T, **EXACT)
    assert [name for name, p in model.named_parameters() if 11 in p.shape] == ["embedding.weight"]


@pytest.mark.parametrize(
    "sizes",
    [(69, 128, 4, 256, 4), (30, 32, 4, 112, 2), (30, 32, 4, 112, 2, 1), (50, 48, 6, 64, 3, 2), (9, 8, 4, 5, 1, 4)],
)
def test_the_formula_counts_the_numbers(book, sizes):
    counted = sum(p.numel() for p in book["GPT"](*sizes).parameters())
    assert counted == book["gpt_parameters"](*sizes)


@pytest.mark.parametrize("n_groups, rotary", MODELS)
@pytest.mark.parametrize("B", [1, 3])
def test_cached_equals_uncached_wherever_the_line_is_cut(book, n_groups, rotary, B):
    """Front padding in one row; in two pieces, in three, and one symbol at a time."""
    model, ids = small(book, n_groups, rotary), some_ids(B, 9)
    ids[-1, :2] = 0
    whole, vectors, (known, kept) = model(ids)
    assert known.tolist() == (ids > 0).tolist() and kept.shape == (B, 3, 2, n_groups, 9, 4)
    for cuts in [*([t] for t in range(10)), [2, 5], [0, 0, 9], list(range(1, 9))]:
        state, found = None, []
        for start, stop in zip([0, *cuts], [*cuts, 9]):
            logits, x, state = model(ids[:, start:stop], state)
            torch.testing.assert_close(x, vectors[:, start:stop], **EXACT)
            found.append(logits)
        torch.testing.assert_close(torch.cat(found, dim=1), whole, **EXACT)
        torch.testing.assert_close(state[1], kept, **EXACT)


@pytest.mark.parametrize("n_groups, rotary", MODELS)
def test_later_symbols_change_nothing_before_them(book, n_groups, rotary):
    model, ids = small(book, n_groups, rotary), some_ids(1, 7)
    before = model(ids)[0]
    for t in range(7):
        changed = ids.clone()
        changed[0, t] = (ids[0, t] - 2) % 8 + 3  # another symbol
        moved = (model(changed)[0] != before).any(-1)[0]
        assert not moved[:t].any() and moved[t:].all()


@pytest.mark.parametrize("n_groups", [4, 2, 1])
def test_rotary_positions_know_offsets_only(book, n_groups):
    """Padding in front moves a line and changes nothing; with learned positions it does change something."""
    for rotary in [True, False]:
        model, ids = small(book, n_groups, rotary), some_ids(2, 6)
        before = model(ids)[0]
        for gap in [1, 5]:
            moved = model(F.pad(ids, (gap, 0)))[0][:, gap:]
            far = float((moved - before).detach().abs().max())
            assert far < 1e-5 if rotary else far > 1e-2


def test_it_needs_to_know_the_order(book):
    model, ids = small(book), torch.tensor([[3, 4, 5, 6, 7]])
    swapped = torch.tensor([[4, 3, 5, 6, 7]])
    assert (model(ids)[0][0, -1] - model(swapped)[0][0, -1]).detach().abs().max() > 1e-3


def test_padding_looks_at_itself_and_nobody_looks_at_it(book):
    """A row of nothing but padding gives numbers, and disturbs neither values nor gradients."""
    model, ids = small(book), some_ids(2, 5)
    ids[1] = 0
    logits = model(ids)[0]
    assert logits.isfinite().all()
    found = torch.autograd.grad(logits[0].sum(), model.layers[0].attention.key.weight)[0]
    alone = torch.autograd.grad(model(ids[:1])[0].sum(), model.layers[0].attention.key.weight)[0]
    torch.testing.assert_close(found, alone, **EXACT)
    front = F.pad(ids[:1], (3, 0))
    model(front)
    for layer in model.layers:
        weights = layer.attention.weights[0]  # (H, T, T)
        assert not weights[:, 3:, :3].any() and (weights[:, range(3), range(3)] == 1).all()


def test_too_long_is_refused_with_a_state_as_without(book):
    model = small(book)
    assert model(some_ids(1, 24))[0].shape == (1, 24, 11)
    with pytest.raises(ValueError, match="25 positions"):
        model(some_ids(1, 25))
    state = model(some_ids(1, 20))[2]
    model(some_ids(1, 4), state)
    with pytest.raises(ValueError, match="25 positions"):
        model(some_ids(1, 5), state)


@pytest.mark.parametrize("ids", [
    torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, 3, dtype=torch.float64),
    torch.zeros(3, dtype=torch.int64), torch.zeros(1, 3, 11, dtype=torch.int64),
])  # fmt: skip
def test_ids_are_integers_in_a_rectangle(book, ids):
    with pytest.raises(ValueError, match=r"ids must be integers \(B, T\)"):
        small(book)(ids)


@pytest.mark.parametrize("sizes", [(12, 4), (7, 1), (9, 3)])
def test_only_rotary_positions_need_an_even_width(book, sizes):
    D, H = sizes
    model = book["GPT"](11, D, H, 12, 2, rotary=False)
    assert model(some_ids(2, 5))[0].shape == (2, 5, 11) and model.rotations is None
    with pytest.raises(ValueError, match="odd"):
        book["GPT"](11, D, H, 12, 2)


def test_a_model_that_was_used_can_be_copied(book):
    """A copy computes the same and probabilities nothing, and weights are averaged as torch does it."""
    model, ids = small(book).train(), some_ids(2, 5)
    model(ids)[0].sum().backward()
    averaged, twin = AveragedModel(model), copy.deepcopy(model)
    assert all(not layer.attention.weights.requires_grad for layer in model.layers)
    expected = model(ids)[0]
    for other in (twin, averaged):
        torch.testing.assert_close(other(ids)[0], expected, **EXACT)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    torch.testing.assert_close(twin(ids)[0], expected, **EXACT)
    averaged.update_parameters(twin)
    averaged.update_parameters(model)
    for first, second, mean in zip(*(m.parameters() for m in (twin, model, averaged.module))):
        torch.testing.assert_close(mean, (first + second) / 2, **EXACT)


@pytest.mark.parametrize("n_groups, rotary", MODELS)
def test_everything_new_is_made_where_the_model_is(book, n_groups, rotary):
    """On the device `meta`, where a tensor of the CPU would not mix with the model's."""
    with torch.device("meta"):
        model = book["GPT"](11, 16, 4, 12, 2, n_groups=n_groups, rotary=rotary)
        reader = book["GPTReader"](book["GPT"](11, 16, 4, 12, 2, n_groups=n_groups))
        ids = torch.ones(2, 5, dtype=torch.int64)
    logits, _, state = model(ids)
    again, _, (known, kept) = model(ids[:, :2], state)
    spoken, _ = reader.advance(ids, reader.start(ids, ids > 0))
    found = [logits, again, known, kept, spoken, reader(ids, ids > 0, ids), *state]
    assert {part.device.type for part in found} == {"meta"} and kept.shape[4] == 7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("rotary", [True, False])
def test_everything_new_has_the_models_precision(book, dtype, rotary):
    model, ids = small(book, rotary=rotary).to(dtype), some_ids(2, 7)
    whole, vectors, (known, kept) = model(ids)
    assert {whole.dtype, vectors.dtype, kept.dtype} == {dtype} and known.dtype == torch.bool
    _, _, state = model(ids[:, :4])
    rest = model(ids[:, 4:], state)[0]
    assert rest.dtype == dtype and whole.isfinite().all()
    roughly = {"rtol": 0.1, "atol": 0.1 * float(whole.detach().abs().max())}
    torch.testing.assert_close(rest, whole[:, 4:], **roughly)


def test_dropout_acts_in_training_alone(book):
    model, ids = small(book, dropout=0.3), some_ids(2, 5)
    assert torch.equal(model(ids)[0], model(ids)[0])
    model.train()
    assert not torch.equal(model(ids)[0], model(ids)[0])


def test_dropout_falls_on_both_sublayers_and_on_what_enters(book):
    """With all but one of its places silenced, training is still random, and with all silenced it is not."""
    ids = some_ids(2, 5)
    for loud in ["attention", "network", "entrance", "none"]:
        model = small(book, dropout=0.5).train()
        if loud != "entrance":
            model.dropout = nn.Identity()
        for layer in model.layers:
            silenced = {"attention": [layer.network.shrink], "network": [layer.attention.output]}
            for module in silenced.get(loud, [layer.network.shrink, layer.attention.output]):
                nn.init.zeros_(module.weight)
        assert torch.equal(model(ids)[0], model(ids)[0]) == (loud == "none")


def test_what_enters_has_the_length_of_the_root_of_the_width(book):
    torch.manual_seed(0)
    model, given = book["GPT"](400, 64, 4, 32, 1), []
    model.layers[0].register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    model(torch.arange(3, 23)[None])
    assert abs(given[0].norm(dim=-1).mean() - 8) < 0.3


# ---------------------------------------------------------------- the reader


def reading_example(book, n_groups=2):
    vocabulary = book["Vocabulary"]([*"abcde", "A", "B", "C"])
    torch.manual_seed(1)
    reader = book["GPTReader"](book["GPT"](len(vocabulary), 16, 4, 24, 2, n_groups=n_groups)).eval()
    pairs = [
        (vocabulary.encode(word), vocabulary.encode([{"a": "A", "b": "B"}.get(x, "C") for x in word]))
        for word in ["ab", "b", "cab", "abba", "deed", "bad", "a", "cabbed"]
    ]
    return vocabulary, reader, pairs


def test_padding_goes_to_the_front_in_order(book):
    _, reader, _ = reading_example(book)
    source = torch.tensor([[1, 5, 6, 2, 0, 0], [1, 5, 6, 7, 8, 2], [1, 5, 2, 0, 0, 0]])
    found = reader.prompt(source, source > 0)
    assert found.tolist() == [[0, 0, 1, 5, 6, 2], [1, 5, 6, 7, 8, 2], [0, 0, 0, 1, 5, 2]]


@pytest.mark.parametrize("mask, found", [
    (torch.ones(2, 4), "torch.float32 of shape (2, 4)"), (torch.ones(2, 4, dtype=torch.int64), "torch.int64"),
    (torch.ones(2, 1, 4, dtype=torch.bool), "(2, 1, 4)"), (torch.ones(4, dtype=torch.bool), "(4,)"),
    (torch.ones(1, 4, dtype=torch.bool), "(1, 4)"), (torch.ones(2, 5, dtype=torch.bool), "(2, 5)"),
])  # fmt: skip
def test_the_readers_mask_is_boolean_like_the_word(book, mask, found):
    _, reader, _ = reading_example(book)
    source = torch.tensor([[1, 5, 6, 2], [1, 5, 2, 0]])
    for call in (lambda: reader.start(source, mask), lambda: reader(source, mask, source)):
        with pytest.raises(ValueError) as caught:
            call()
        assert "mask must be boolean of shape (2, 4)" in str(caught.value) and found in str(caught.value)


def test_a_trained_reader_can_be_copied(book):
    _, reader, pairs = reading_example(book)
    book["train_transformer"](reader, pairs, 3, 0.01, 0, warm_up_steps=2, batch_size=4)
    source, mask = book["pad_batch"]([word for word, _ in pairs])
    assert not reader.training
    torch.testing.assert_close(copy.deepcopy(reader)(source, mask, source), reader(source, mask, source))


@pytest.mark.parametrize("n_groups", [4, 2, 1])
def test_a_word_alone_is_read_as_in_a_batch(book, n_groups):
    _, reader, pairs = reading_example(book, n_groups)
    reader.double()
    source, mask = book["pad_batch"]([word for word, _ in pairs])
    target, _ = book["pad_batch"]([answer for _, answer in pairs])
    logits = reader(source, mask, target)
    for i, (word, answer) in enumerate(pairs):
        ids, spoken = torch.tensor([word]), torch.tensor([answer])
        alone = reader(ids, torch.ones_like(ids, dtype=torch.bool), spoken)
        torch.testing.assert_close(alone[0], logits[i, : len(answer)], rtol=1e-5, atol=1e-5)


def test_step_by_step_equals_teacher_forcing(book):
    _, reader, pairs = reading_example(book)
    reader.double()
    source, mask = book["pad_batch"]([word for word, _ in pairs])
    target, _ = book["pad_batch"]([answer for _, answer in pairs])
    whole = reader(source, mask, target)
    assert whole.shape == (*target.shape, reader.gpt.embedding.num_embeddings)
    for size in [1, 2, target.shape[1]]:
        state, found = reader.start(source, mask), []
        assert all(len(part) == len(source) for part in state)
        for t in range(0, target.shape[1], size):
            logits, state = reader.advance(target[:, t : t + size], state)
            found.append(logits)
        torch.testing.assert_close(torch.cat(found, dim=1), whole, **EXACT)


def test_a_beam_of_one_is_greedy(book):
    vocabulary, reader, pairs = reading_example(book)
    words = [word for word, _ in pairs]
    greedy = book["read_greedily"](reader, words, vocabulary, longest=12)
    beams = book["beam_search"](reader, words, vocabulary, width=1, longest=12)
    assert greedy == [found[0][0] for found in beams]
    wide = book["beam_search"](reader, words, vocabulary, width=3, longest=12)
    assert all(b[0][1] >= a[0][1] - 1e-5 for a, b in zip(beams, wide) if len(a[0][0]) < 12)


def test_it_learns_to_read(book):
    vocabulary, reader, pairs = reading_example(book)
    losses = {}
    book["train_transformer"](
        reader, pairs, 120, 0.01, 0, warm_up_steps=10, smoothing=0.0, batch_size=4, watch=losses.__setitem__, every=20
    )
    assert losses[120] < 0.2 * losses[20]
    found = book["read_greedily"](reader, [word for word, _ in pairs], vocabulary)
    assert [vocabulary.encode(answer) for answer in found] == [answer for _, answer in pairs]


def test_it_learns_to_spell_through_chapter_2s_interface(book):
    vocabulary = book["Vocabulary"]("abc")
    words = [vocabulary.encode(word) for word in ["abc", "cab", "abcabc", "bca"]]
    torch.manual_seed(0)
    model, losses = book["GPT"](len(vocabulary), 16, 2, 24, 2), {}
    book["train_letter_model"](model, words, 80, 0.02, 0, batch_size=4, watch=losses.__setitem__, every=20)
    assert losses[80] < 0.6 * losses[20]
    model.eval()
    drawn = book["sample_words"](model, vocabulary, 40, seed=0)
    assert len(drawn) == 40 and "abc" in drawn
    bits = book["word_bits"](model, words)
    whole = book["symbol_bits"](model, torch.tensor([words[2]]))[0][0]
    torch.testing.assert_close(torch.tensor(bits[2]).float(), whole.detach(), rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- sampling


def logs(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


@pytest.mark.parametrize(
    "top_p, kept",
    [(1.0, [0.1, 0.4, 0.2, 0.3]), (0.91, [0.1, 0.4, 0.2, 0.3]), (0.89, [0, 4 / 9, 2 / 9, 3 / 9]),
     (0.71, [0, 4 / 9, 2 / 9, 3 / 9]), (0.69, [0, 4 / 7, 0, 3 / 7]), (0.39, [0, 1, 0, 0]), (1e-9, [0, 1, 0, 0])],
)  # fmt: skip
def test_the_nucleus_is_the_least_that_reaches_p(book, top_p, kept):
    found = book["sampling_probabilities"](logs(0.1, 0.4, 0.2, 0.3), top_p=top_p)
    torch.testing.assert_close(found, torch.tensor(kept, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_a_nucleus_of_one_cuts_nothing(book):
    logits = 6 * torch.randn(2000, 69, generator=torch.Generator().manual_seed(0))
    probabilities = logits.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    assert (before >= 1).any(), "rounding reaches one before the end, or this tests nothing"
    assert torch.equal(book["sampling_probabilities"](logits, top_p=1.0) > 0, probabilities > 0)


def test_ties_at_the_edge_keep_as_many_as_are_needed(book):
    probabilities = book["sampling_probabilities"](logs(0.25, 0.25, 0.25, 0.25), top_p=0.6)
    assert sorted(probabilities.tolist()) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


def test_temperature_comes_before_the_cut(book):
    logits = logs(0.5, 0.3, 0.2)
    squared = torch.tensor([0.25, 0.09, 0.04], dtype=torch.float64)
    torch.testing.assert_close(book["sampling_probabilities"](logits, 0.5), squared / squared.sum(), **EXACT)
    assert (book["sampling_probabilities"](logits, 0.5, 0.6) > 0).tolist() == [True, False, False]
    assert (book["sampling_probabilities"](logits, 1.0, 0.6) > 0).tolist() == [True, True, False]
    torch.testing.assert_close(
        book["sampling_probabilities"](logits, 1e6), torch.full((3,), 1 / 3).double(), rtol=0, atol=1e-5
    )
    assert book["sampling_probabilities"](logits, 1e-3).tolist() == pytest.approx([1, 0, 0])


def test_probabilities_of_a_batch_and_of_what_cannot_happen(book):
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 7)
    logits[..., 2] = -math.inf
    found = book["sampling_probabilities"](logits, 0.8, 0.7)
    assert found.shape == logits.shape and not found[..., 2].any()
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 3))
    for row, one in zip(logits.view(-1, 7), found.view(-1, 7)):
        torch.testing.assert_close(book["sampling_probabilities"](row, 0.8, 0.7), one)
        assert one.argmax() == row.argmax()


@pytest.mark.parametrize("temperature, top_p", [(0, 1), (-1, 1), (1, 0), (1, -0.1), (1, 1.01)])
def test_senseless_settings_are_refused(book, temperature, top_p):
    with pytest.raises(ValueError, match="cannot sample"):
        book["sampling_probabilities"](torch.zeros(3), temperature, top_p)
