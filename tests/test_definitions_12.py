"""Chapter 12's definitions: layer norm, residual connections, layers, the Transformer, its count and its training."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

EXACT = {"rtol": 1e-10, "atol": 1e-10}
# n_source, n_target, D, heads, D_ff, layers: every size different from the others
SIZES = [(9, 11, 8, 2, 12, 1), (7, 13, 12, 3, 20, 2), (5, 6, 4, 1, 7, 3), (20, 8, 16, 8, 10, 2)]
BATCHES = [([5, 3, 4], [4, 6, 2]), ([7], [3]), ([1], [1]), ([2, 6], [1, 1])]  # letters and phonemes of each word


def build(book, n_source, n_target, d_model, n_heads, d_ff, n_layers, seed=0, **options):
    """A network in 64 bits whose biases, scales and shifts are not those of a fresh one."""
    torch.manual_seed(seed)
    model = book["Transformer"](n_source, n_target, d_model, n_heads, d_ff, n_layers, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.normal_()
    return model.eval()


def words(lengths, vocabulary_size, seed=1):
    """Padded ids and their mask."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    ids = torch.randint(3, vocabulary_size, (len(lengths), longest), generator=generator)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return torch.where(mask, ids, 0), mask


def counterparts(ours, theirs):
    """(parameter of nn.Transformer, [ours that are stacked in it])"""
    for a, b in zip([*ours.encoder, *ours.decoder], [*theirs.encoder.layers, *theirs.decoder.layers]):
        looks = [(a.attention, b.self_attn)]
        if hasattr(a, "cross_attention"):
            looks.append((a.cross_attention, b.multihead_attn))
        for mine, other in looks:
            parts = [mine.query, mine.key, mine.value]
            yield other.in_proj_weight, [p.weight for p in parts]
            yield other.in_proj_bias, [p.bias for p in parts]
            yield other.out_proj.weight, [mine.output.weight]
            yield other.out_proj.bias, [mine.output.bias]
        pairs = [(a.feed_forward.expand, b.linear1), (a.feed_forward.shrink, b.linear2)]
        pairs += [(r.norm, getattr(b, f"norm{k}")) for k, r in enumerate(a.residuals, 1)]
        for mine, other in pairs:
            yield other.weight, [mine.weight]
            yield other.bias, [mine.bias]
    for mine, other in [(ours.encoder_norm, theirs.encoder.norm), (ours.decoder_norm, theirs.decoder.norm)]:
        if other is not None:
            yield other.weight, [mine.weight]
            yield other.bias, [mine.bias]


def pytorchs(ours, d_model, n_heads, d_ff, n_layers, pre_norm):
    theirs = nn.Transformer(
        d_model, n_heads, n_layers, n_layers, d_ff, 0.0, batch_first=True, norm_first=pre_norm, dtype=torch.float64
    )
    if not pre_norm:
        theirs.encoder.norm = theirs.decoder.norm = None
    with torch.no_grad():
        for other, mine in counterparts(ours, theirs):
            other.copy_(torch.cat(mine))
    return theirs


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("lengths", BATCHES)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_transformer_equals_pytorchs(book, sizes, lengths, pre_norm):
    ours = build(book, *sizes, pre_norm=pre_norm)
    theirs = pytorchs(ours, *sizes[2:], pre_norm)
    source, mask = words(lengths[0], sizes[0])
    target, real = words(lengths[1], sizes[1], seed=2)
    blind = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
    x, y = ours.source(source), ours.target(target)
    found = theirs(x, y, tgt_mask=blind, src_key_padding_mask=~mask, memory_key_padding_mask=~mask)
    logits, expected = ours(source, mask, target), ours.output(found)
    torch.testing.assert_close(logits, expected, **EXACT)
    along = torch.randn_like(logits) * real[..., None]
    for output in (logits, expected):
        (output * along).sum().backward(retain_graph=True)
    for other, mine in counterparts(ours, theirs):
        scale = max(1.0, float(other.grad.abs().max()))
        torch.testing.assert_close(torch.cat([p.grad for p in mine]), other.grad, rtol=1e-10, atol=1e-10 * scale)


@pytest.mark.parametrize("shape", [(4,), (3, 8), (2, 5, 16)])
def test_layer_norm_equals_pytorchs(book, shape):
    torch.manual_seed(sum(shape))
    ours, theirs = book["LayerNorm"](shape[-1]).double(), nn.LayerNorm(shape[-1]).double()
    assert (ours.weight == 1).all() and (ours.bias == 0).all()
    with torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.parameters()):
            q.copy_(p.normal_())
    x = (3 + 0.01 * torch.randn(shape, dtype=torch.float64)).requires_grad_()  # small variance: epsilon matters
    along, results = torch.randn(shape, dtype=torch.float64), []
    for norm in (ours, theirs):
        y = norm(x)
        results.append([y, *torch.autograd.grad((y * along).sum(), [x, *norm.parameters()])])
    for mine, other in zip(*results):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_layer_norm_in_16_bits_computes_in_32(book, dtype):
    torch.manual_seed(0)
    norm, x = book["LayerNorm"](64), 1000 * torch.randn(5, 64)  # squares beyond what float16 holds
    expected = nn.LayerNorm(64)(x.to(dtype).float())
    for module in (norm, norm.to(dtype)):
        found = module(x.to(dtype))
        assert found.dtype == dtype
        torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.01)
    assert book["LayerNorm"](64)(x).dtype == torch.float32
    assert book["LayerNorm"](64).double()(x.double()).dtype == torch.float64


def test_the_residual_adds_and_norms_on_the_side_it_says(book):
    torch.manual_seed(0)
    x, shift = 5 * torch.randn(3, 4, 6), torch.randn(6)
    seen = []

    def sublayer(y):
        seen.append(y)
        return y * 2 + shift

    for pre_norm in (True, False):
        residual = book["Residual"](6, 0.0, pre_norm)
        with torch.no_grad():
            residual.norm.weight.uniform_(0.5, 2)
        found = residual(x, sublayer)
        if pre_norm:
            assert torch.equal(seen[-1], residual.norm(x))
            torch.testing.assert_close(found, x + 2 * residual.norm(x) + shift)
        else:
            assert torch.equal(seen[-1], x)
            torch.testing.assert_close(found, residual.norm(3 * x + shift))
    silent = book["Residual"](6, 0.0, True)(x, torch.zeros_like)
    assert torch.equal(silent, x)  # a sublayer that says nothing leaves the stream as it is


def test_dropout_falls_on_what_is_added_and_not_on_the_stream(book):
    torch.manual_seed(0)
    residual, x = book["Residual"](50, 0.5, True), torch.full((20, 50), 100.0)
    added = residual(x, torch.ones_like) - x
    assert set(added.unique().tolist()) == {0.0, 2.0}
    residual.eval()
    assert torch.equal(residual(x, torch.ones_like), x + 1)
    post, x = book["Residual"](50, 0.5, False), torch.randn(20, 50)
    assert torch.equal(post(x, torch.zeros_like), post.norm(x))
    assert not torch.equal(post(x, torch.ones_like), post.norm(x + 1))


def test_the_feed_forward_network_is_its_equation_at_every_place(book):
    torch.manual_seed(0)
    network = book["FeedForward"](4, 7).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    W_1, b_1, W_2, b_2 = (p.detach() for p in network.parameters())
    assert W_1.shape == (7, 4) and W_2.shape == (4, 7)
    for b in range(2):
        for t in range(3):
            expected = W_2 @ torch.clamp(W_1 @ x[b, t] + b_1, min=0) + b_2
            torch.testing.assert_close(network(x)[b, t], expected, **EXACT)


def test_what_enters_is_scaled_and_placed(book):
    torch.manual_seed(0)
    entrance = book["PositionalEmbedding"](9, 16, 0.0)
    ids = torch.tensor([[3, 8, 3]])
    table, places = entrance.table.weight, book["sinusoids"](64, 16)
    for t in range(3):
        torch.testing.assert_close(entrance(ids)[0, t], 4 * table[ids[0, t]] + places[t])
    bare = book["PositionalEmbedding"](9, 16, 0.0, positions=False)
    assert torch.equal(bare(ids)[0, 0], bare(ids)[0, 2]) and torch.equal(bare(ids)[0, 0], 4 * bare.table.weight[3])
    assert "positions" not in entrance.state_dict()
    with pytest.raises(ValueError, match="65 symbols"):
        entrance(torch.zeros(1, 65, dtype=torch.long))
    assert entrance(torch.zeros(1, 64, dtype=torch.long)).shape == (1, 64, 16)


def test_an_odd_width_is_refused_only_where_positions_are_added(book):
    bare = book["PositionalEmbedding"](9, 5, 0.0, positions=False)
    assert bare(torch.tensor([[3, 4]])).shape == (1, 2, 5)
    with pytest.raises(ValueError, match="64 positions"):
        bare(torch.zeros(1, 65, dtype=torch.long))
    model = book["Transformer"](7, 8, 9, 3, 10, 1, positions=False).eval()
    source, mask = words([4, 2], 7)
    assert model(source, mask, torch.tensor([[1, 3], [1, 4]])).shape == (2, 2, 8)
    for build_one in [
        lambda: book["PositionalEmbedding"](9, 5, 0.0),
        lambda: book["Transformer"](7, 8, 9, 3, 10, 1),
    ]:
        with pytest.raises(ValueError, match="odd"):
            build_one()


def test_embeddings_start_with_length_one(book):
    torch.manual_seed(0)
    model = book["Transformer"](400, 300, 64, 4, 32, 1)
    for entrance in (model.source, model.target):
        assert abs(float(entrance.table.weight.detach().norm(dim=1).mean()) - 1) < 0.05


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("positions", [True, False])
def test_a_word_reads_the_same_in_any_company(book, pre_norm, positions):
    model = build(book, *SIZES[1], pre_norm=pre_norm, positions=positions)
    lengths, spoken = [5, 2, 7], [3, 6, 1]
    source, mask = words(lengths, 7)
    target, _ = words(spoken, 13, seed=2)
    together = model(source, mask, target)
    for i, (S, T) in enumerate(zip(lengths, spoken)):
        alone = model(source[i : i + 1, :S], mask[i : i + 1, :S], target[i : i + 1, :T])
        torch.testing.assert_close(together[i, :T], alone[0], **EXACT)
    scrawled = torch.where(mask, source, 5)  # other ids at padded places
    assert torch.equal(model(scrawled, mask, target), together)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_no_bet_depends_on_a_later_phoneme_and_all_else_matters(book, pre_norm):
    model = build(book, *SIZES[1], pre_norm=pre_norm)
    source, mask = words([5, 4], 7)
    target, _ = words([6, 6], 13, seed=2)
    logits = model(source, mask, target)
    for t in range(6):
        changed = target.clone()
        changed[:, t] = (changed[:, t] - 2) % 10 + 3
        touched = (model(source, mask, changed) != logits).any(-1)
        assert not touched[:, :t].any() and touched[:, t:].all()
    for j in range(4):
        changed = source.clone()
        changed[:, j] = (changed[:, j] - 2) % 4 + 3
        assert (model(changed, mask, target) != logits).any(-1).all()


@pytest.mark.parametrize("pre_norm", [True, False])
def test_teacher_forcing_equals_one_step_at_a_time(book, pre_norm):
    model = build(book, *SIZES[1], pre_norm=pre_norm)
    source, mask = words([5, 3, 6], 7)
    target, _ = words([6, 6, 6], 13, seed=2)
    whole = model(source, mask, target)
    for pieces in ([1] * 6, [2, 3, 1], [6]):
        state, parts = model.start(source, mask), []
        for ids in target.split(pieces, dim=1):
            logits, state = model.advance(ids, state)
            assert logits.shape == (3, ids.shape[1], 13)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, **EXACT)
    assert torch.equal(state[2], target) and torch.equal(state[1], mask)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_word_that_is_all_padding_gives_no_nan(book, pre_norm):
    model = build(book, *SIZES[1], pre_norm=pre_norm)
    source, mask = words([4, 3, 2], 7)
    target, _ = words([3, 3, 3], 13, seed=2)
    empty = mask.clone()
    empty[1] = False
    logits = model(source, empty, target)
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits[[0, 2]], model(source, mask, target)[[0, 2]], **EXACT)
    logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_without_positions_the_letters_are_a_bag(book):
    target, _ = words([4], 13, seed=2)
    source, mask = torch.tensor([[3, 4, 5, 6, 4]]), torch.ones(1, 5, dtype=torch.bool)
    turned = source.flip(1)
    blind, seeing = (build(book, *SIZES[1], positions=p) for p in (False, True))
    torch.testing.assert_close(blind(source, mask, target), blind(turned, mask, target), **EXACT)
    assert (seeing(source, mask, target) - seeing(turned, mask, target)).abs().max() > 1e-3


def test_a_word_that_is_too_long_is_refused(book):
    model = build(book, *SIZES[0])
    with pytest.raises(ValueError, match="65 symbols"):
        model.start(torch.full((1, 65), 3), torch.ones(1, 65, dtype=torch.bool))


@pytest.mark.parametrize("wrong", ["float", "integer", "transposed", "for pairs", "for one word"])
def test_the_mask_is_boolean_and_as_the_source(book, wrong):
    model = build(book, *SIZES[1])
    source, mask = words([5, 3], 7)
    target, _ = words([2, 2], 13, seed=2)
    masks = {
        "float": mask.double(),
        "integer": mask.long(),
        "transposed": mask.T,
        "for pairs": mask[:, None].expand(2, 5, 5),
        "for one word": mask[:1],
    }
    for read in (lambda: model.start(source, masks[wrong]), lambda: model(source, masks[wrong], target)):
        with pytest.raises(ValueError, match="boolean" if mask.shape == masks[wrong].shape else r"shape \(2, 5\)"):
            read()


def test_dropout_is_off_in_evaluation(book):
    model = build(book, *SIZES[1], dropout=0.3)
    source, mask = words([5, 3], 7)
    target, _ = words([4, 4], 13, seed=2)
    assert torch.equal(model(source, mask, target), model(source, mask, target))
    plain = build(book, *SIZES[1], dropout=0.0)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(source, mask, target), plain(source, mask, target))
    model.train()
    assert not torch.equal(model(source, mask, target), model(source, mask, target))
    parts = [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert len(parts) == 2 * 2 + 2 * 3 + 2 and all(m.p == 0.3 for m in parts)


def test_another_attention_takes_the_place_of_all(book):
    class Marked(book["MultiHeadAttention"]):
        pass

    model = book["Transformer"](5, 6, 8, 2, 4, 2, attention=Marked)
    kinds = [type(m) for m in model.modules() if isinstance(m, book["MultiHeadAttention"])]
    assert kinds == [Marked] * 6


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("sizes", [*SIZES, (30, 42, 128, 4, 256, 2), (30, 42, 64, 4, 128, 6)])
def test_the_formula_counts_the_parameters(book, sizes, pre_norm):
    n_source, n_target, d_model, _, d_ff, n_layers = sizes
    model = book["Transformer"](*sizes, pre_norm=pre_norm)
    counted = sum(p.numel() for p in model.parameters())
    assert counted == book["transformer_parameters"](n_source, n_target, d_model, d_ff, n_layers, pre_norm)


def test_the_formula_gives_the_papers_base_model(book):
    count = book["transformer_parameters"]
    assert count(37_000, 37_000, 512, 2048, 6, pre_norm=False, tied=True) == 63_082_496
    assert round(count(41_000, 41_000, 512, 2048, 6, pre_norm=False, tied=True) / 1e6) == 65
    with pytest.raises(ValueError, match="30 source and 42 target"):
        count(30, 42, 128, 256, 2, tied=True)


def test_greedy_decoding_is_a_beam_of_one(book):
    vocabulary = book["Vocabulary"]("abcdefgh")
    model = build(book, 7, len(vocabulary), 8, 2, 12, 2, seed=3).float()
    sources = [[1, 3, 4, 2], [1, 5, 6, 4, 3, 2], [1, 4, 2]]
    greedy = book["read_greedily"](model, sources, vocabulary, longest=8)
    beams = book["beam_search"](model, sources, vocabulary, width=1, longest=8)
    assert greedy == [found[0][0] for found in beams]
    wide = book["beam_search"](model, sources, vocabulary, width=4, longest=8)
    assert all(w[0][1] >= b[0][1] - 1e-5 or len(b[0][0]) == 8 for w, b in zip(wide, beams))


@pytest.mark.parametrize("epsilon, V", [(0.1, 42), (0.3, 5), (0.0, 7), (1.0, 4)])
def test_the_smoothing_floor_is_what_optimised_logits_reach(book, epsilon, V):
    floor = book["smoothing_entropy"](epsilon, V)
    truth = torch.tensor([1])
    logits = torch.zeros(1, V, dtype=torch.float64, requires_grad=True)
    if epsilon == 0:
        assert floor == 0
        return
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = F.cross_entropy(logits, truth, label_smoothing=epsilon)
        value.backward()
        return value

    optimizer.step(loss)
    reached = float(F.cross_entropy(logits, truth, label_smoothing=epsilon).detach())
    assert reached == pytest.approx(floor, abs=1e-8)
    sharper = logits.detach().clone()
    sharper[0, 1] += 0.5
    assert F.cross_entropy(sharper, truth, label_smoothing=epsilon) > floor


@pytest.mark.parametrize("epsilon, V", [(-0.1, 5), (1.1, 5), (0.1, 1)])
def test_the_smoothing_floor_refuses_what_is_no_smoothing(book, epsilon, V):
    with pytest.raises(ValueError):
        book["smoothing_entropy"](epsilon, V)


def test_warm_up(book):
    share = book["warm_up"]
    assert share(1, 1000, 100) == pytest.approx(0.01)
    assert share(50, 1000, 100) == pytest.approx(0.5)
    assert share(1000, 1000, 100) == pytest.approx(1 / 1000)
    values = [share(n, 1000, 100) for n in range(1, 1001)]
    peak = int(np.argmax(values))
    assert abs(peak + 1 - 92) <= 1 and 0.9 < values[peak] < 1  # where n / 100 meets 1 - (n - 1) / 1000
    assert all(a < b for a, b in zip(values[:peak], values[1 : peak + 1]))
    assert all(a > b for a, b in zip(values[peak:-1], values[peak + 1 :]))
    assert [share(n, 10, 0) for n in range(1, 11)] == pytest.approx([1 - (n - 1) / 10 for n in range(1, 11)])


class Spy(nn.Module):
    """A model of one number that notes what it is given and bets evenly."""

    def __init__(self, V):
        super().__init__()
        self.bias, self.calls = nn.Parameter(torch.zeros(V)), []

    def forward(self, source, mask, ids):
        self.calls.append((source, mask, ids))
        return self.bias.expand(*ids.shape, -1)


PAIRS = [([1, 3, 4, 2], [1, 5, 6, 2]), ([1, 4, 2], [1, 6, 2]), ([1, 3, 3, 2], [1, 3, 4, 5, 2]), ([1, 5, 2], [1, 2])]


def test_training_feeds_the_true_phonemes_and_asks_for_the_next(book):
    model, seen = Spy(8), {}
    book["train_transformer"](model, PAIRS, 1, 0.0, 0, smoothing=0.0, batch_size=4, watch=seen.__setitem__, every=1)
    ((source, mask, ids),) = model.calls
    assert mask.sum() == 4 + 3 + 4 + 3 and not model.training
    longest = max(len(target) for _, target in PAIRS)
    given = {tuple(row.tolist()) for row in ids}
    assert given == {tuple((target + [0] * longest)[: longest - 1]) for _, target in PAIRS}
    assert seen[1] == pytest.approx(math.log(8), abs=1e-6)  # an even bet, padding not counted


def test_the_first_steps_move_by_the_warmed_rate_and_padding_costs_nothing(book):
    """Adam's first step is the rate in size, and a symbol that is never a target is not pushed up without smoothing."""
    for warm_up_steps, share in [(0, 1.0), (4, 0.25)]:
        model = Spy(8)
        book["train_transformer"](model, PAIRS, 10, 1e-3, 0, warm_up_steps=warm_up_steps, smoothing=0.0, batch_size=4)
        fresh = Spy(8)
        torch.manual_seed(0)
        book["train_transformer"](fresh, PAIRS, 1, 1e-3, 0, warm_up_steps=0, smoothing=0.0, batch_size=4)
        assert fresh.bias.detach().abs().max() == pytest.approx(1e-3, rel=1e-3)
        steps = book["warm_up"]
        assert steps(1, 10, warm_up_steps) == pytest.approx(share)
        total = sum(steps(n, 10, warm_up_steps) for n in range(1, 11))
        moved = model.bias.detach()[0]  # padding: always pushed down, by about the rate at every step
        assert float(moved) == pytest.approx(-1e-3 * total, rel=0.05)


def test_smoothing_reaches_the_loss_and_leaves_padding_out(book):
    """The watched loss is the smoothed one, per symbol of the targets."""
    floor, seen = {}, {}
    for smoothing in (0.0, 0.2):
        model = Spy(8)
        with torch.no_grad():
            model.bias.copy_(torch.linspace(-1, 2, 8))
        book["train_transformer"](
            model, PAIRS, 1, 0.0, 0, smoothing=smoothing, batch_size=4, watch=seen.__setitem__, every=1
        )
        bets = torch.linspace(-1, 2, 8).log_softmax(0)
        symbols = [k for _, target in PAIRS for k in target[1:]]
        by_hand = [-(1 - smoothing) * bets[k] - smoothing * bets.mean() for k in symbols]
        floor[smoothing] = float(sum(by_hand) / len(by_hand))
        assert seen[1] == pytest.approx(floor[smoothing], abs=1e-5)
    assert floor[0.0] != pytest.approx(floor[0.2])


def test_it_learns_a_small_set_by_heart(book):
    torch.manual_seed(0)
    vocabulary = book["Vocabulary"]("abcde")
    model = book["Transformer"](8, len(vocabulary), 16, 2, 32, 1).to(book["device"])
    generator = np.random.default_rng(0)
    pairs = [
        ([1, *letters, 2], vocabulary.encode([vocabulary.symbols[k] for k in letters[::-1]]))
        for letters in generator.integers(3, 8, (24, 3)).tolist()
    ]
    pairs = list({tuple(source): (source, target) for source, target in pairs}.values())
    seen = {}
    book["train_transformer"](model, pairs, 150, 0.01, 0, 20, 0.1, 8, watch=seen.__setitem__, every=50)
    assert sorted(seen) == [50, 100, 150] and seen[150] < seen[50]
    assert seen[150] > book["smoothing_entropy"](0.1, len(vocabulary))
    readings = book["read_greedily"](model, [source for source, _ in pairs], vocabulary)
    right = np.mean([found == vocabulary.decode(target) for found, (_, target) in zip(readings, pairs)])
    assert right > 0.9
    assert not model.training


def test_a_trained_transformer_can_be_copied_and_keeps_no_graph(book):
    torch.manual_seed(0)
    model = book["Transformer"](8, 8, 8, 2, 8, 1).to(book["device"])
    book["train_transformer"](model, PAIRS, 2, 0.01, 0, batch_size=2)
    source, mask = (x.to(book["device"]) for x in book["pad_batch"]([source for source, _ in PAIRS]))
    target = book["pad_batch"]([target for _, target in PAIRS])[0].to(book["device"])
    logits = model(source, mask, target)  # outside no_grad: whatever were kept would hold the graph
    twin = copy.deepcopy(model)
    assert torch.equal(twin(source, mask, target), logits)
    kept = [value for module in model.modules() for value in vars(module).values() if torch.is_tensor(value)]
    assert not any(value.grad_fn is not None for value in kept)


@pytest.mark.parametrize("target", [[1], [1, 0], [0, 0, 0]])
def test_a_target_with_nothing_to_predict_is_refused(book, target):
    model = Spy(8)
    with pytest.raises(ValueError, match="nothing to predict"):
        book["train_transformer"](model, [*PAIRS, ([1, 3, 2], target)], 3, 0.01, seed=5)
    assert not model.calls and torch.isfinite(model.bias).all()


def test_training_repeats_and_refuses_nothing(book):
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        model = book["Transformer"](8, 8, 8, 2, 8, 1).to(book["device"])
        book["train_transformer"](model, PAIRS, 3, 0.01, seed=5, batch_size=2)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    with pytest.raises(ValueError):
        book["train_transformer"](model, [], 3, 0.01, seed=5)


def test_batches_hold_words_of_one_length(book):
    model = Spy(8)
    pairs = [([1] + [3] * n + [2], [1] + [4] * (1 + k) + [2]) for n in (1, 2, 3) for k in range(8)]
    book["train_transformer"](model, pairs, 12, 0.0, 0, batch_size=2)
    assert all(mask.all() for _, mask, _ in model.calls)
    spread = [len({int((row > 0).sum()) for row in ids}) for _, _, ids in model.calls]
    assert max(spread) == 2  # but readings of more than one length


@pytest.fixture
def steps_of(book, monkeypatch):
    """Trains a spy and returns what Adam was given, and rate and gradient at every step."""

    def run(model, pairs, steps, rate, **options):
        notes = {"steps": []}

        class Watched(torch.optim.Adam):
            def __init__(self, parameters, *given, **named):
                super().__init__(parameters, *given, **named)
                notes.update(betas=self.defaults["betas"], eps=self.defaults["eps"])

            def step(self, closure=None):
                notes["steps"].append((self.param_groups[0]["lr"], model.bias.grad.clone()))
                return super().step(closure)

        monkeypatch.setattr(torch.optim, "Adam", Watched)
        book["train_transformer"](model, pairs, steps, rate, 0, **options)
        return notes

    return run


def test_the_optimiser_is_the_papers_and_its_rate_warms_up(book, steps_of):
    notes = steps_of(Spy(8), PAIRS, 12, 0.5, warm_up_steps=3, batch_size=4)
    assert notes["betas"] == (0.9, 0.98) and notes["eps"] == 1e-9
    rates = [rate for rate, _ in notes["steps"]]
    assert rates == pytest.approx([0.5 * book["warm_up"](n, 12, 3) for n in range(1, 13)])


def test_a_gradient_is_that_of_one_batch_over_the_average_batch(steps_of):
    same = steps_of(Spy(8), PAIRS, 2, 0.0, smoothing=0.0, batch_size=4)["steps"]
    assert torch.allclose(same[0][1], same[1][1])  # nothing is left from the step before
    pairs = [([1, 3, 2], [1, 3, 2]), ([1, 3, 3, 2], [1, 3, 3, 3, 3, 2])]  # two symbols, and five
    found = steps_of(Spy(8), pairs, 2, 0.0, smoothing=0.0, batch_size=1)["steps"]
    average = 3.5
    expected = []
    for _, target in pairs:
        counts = np.bincount(target[1:], minlength=8)
        expected.append(torch.tensor((len(target) - 1) / 8 - counts).float() / average)
    lengths = sorted(float(g.norm()) for _, g in found)
    clipped = sorted(min(1.0, float(g.norm())) for g in expected)
    assert lengths == pytest.approx(clipped, rel=1e-4)


def test_each_report_is_of_the_batches_since_the_last(book):
    """At a rate of zero: with one pair a batch the mean of every report is that of its own pairs."""
    model, seen = Spy(8), {}
    with torch.no_grad():
        model.bias.copy_(torch.linspace(-1, 2, 8))
    bets = torch.linspace(-1, 2, 8).log_softmax(0)
    target = {1: 3, 2: 4, 3: 5, 4: 7}  # a sum of two of these is never that of the others
    pairs = [([1, *[3] * n, 2], [1, target[n], 2]) for n in target]
    book["train_transformer"](model, pairs, 4, 0.0, 0, smoothing=0.0, batch_size=1, watch=seen.__setitem__, every=2)
    read = [int(source[0].numel()) - 2 for source, *_ in model.calls]
    losses = [-float(bets[target[n]] + bets[2]) / 2 for n in read]
    assert seen[2] == pytest.approx(np.mean(losses[:2]), abs=1e-5)
    assert seen[4] == pytest.approx(np.mean(losses[2:]), abs=1e-5)
    assert abs(np.mean(losses) - seen[4]) > 1e-3


class Loud(Spy):
    def forward(self, source, mask, ids):
        self.modes = [*getattr(self, "modes", []), self.training]
        return 100 * super().forward(source, mask, ids)


def test_a_long_gradient_is_cut_to_length_one_and_keeps_its_direction(steps_of):
    quiet, loud = Spy(8), Loud(8).eval()
    small = steps_of(quiet, PAIRS, 1, 0.0, smoothing=0.0, batch_size=4)["steps"][0][1]
    cut = steps_of(loud, PAIRS, 1, 0.0, smoothing=0.0, batch_size=4)["steps"][0][1]
    assert float(cut.norm()) == pytest.approx(1, rel=1e-3)
    torch.testing.assert_close(cut, small / small.norm(), rtol=1e-3, atol=1e-4)
    assert loud.modes == [True] and not loud.training


def test_matrices_start_as_xaviers_rule_says(book):
    torch.manual_seed(0)
    model = book["Transformer"](30, 42, 64, 4, 160, 2)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            bound = math.sqrt(6 / sum(module.weight.shape))
            assert 0.95 * bound < float(module.weight.detach().abs().max()) <= bound


def test_dropout_falls_on_what_enters_too(book):
    torch.manual_seed(0)
    entrance = book["PositionalEmbedding"](9, 64, 0.5)
    ids = torch.full((8, 10), 4)
    whole = entrance.eval()(ids)
    found = entrance.train()(ids)
    kept = found != 0
    assert 0.4 < kept.float().mean() < 0.6
    torch.testing.assert_close(found[kept], 2 * whole[kept])
