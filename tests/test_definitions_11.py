"""Chapter 11's definitions: sinusoids, rotary positions, and a reader that reads a word in one step."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

EXACT = {"rtol": 1e-10, "atol": 1e-10}


# ---------------------------------------------------------------- sinusoids


@pytest.mark.parametrize("length, d_model", [(1, 2), (5, 4), (40, 128), (300, 6)])
def test_sinusoids_entry_by_entry(book, length, d_model):
    """Vaswani et al.'s formula, with places from 0, a sine before its cosine, and the base 10000."""
    table = book["sinusoids"](length, d_model)
    assert table.shape == (length, d_model) and table.dtype == torch.float32
    for t in range(length):
        for i in range(d_model // 2):
            angle = t / 10000 ** (2 * i / d_model)
            assert table[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_the_first_place_is_all_sines_at_zero(book):
    assert book["sinusoids"](1, 6).tolist() == [[0, 1, 0, 1, 0, 1]]
    assert book["sinusoids"](0, 6).shape == (0, 6)


@pytest.mark.parametrize("d_model", [1, 7])
def test_sinusoids_need_pairs(book, d_model):
    with pytest.raises(ValueError, match=f"the width {d_model} is odd"):
        book["sinusoids"](4, d_model)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_a_shift_is_one_rotation_for_all_places(book, k):
    """Its blocks are made from the row of place k alone; in 32 bits, hence the tolerance."""
    table = book["sinusoids"](30, 8)
    sine, cosine = table[k, 0::2], table[k, 1::2]
    blocks = [torch.tensor([[c, s], [-s, c]]) for s, c in zip(sine.tolist(), cosine.tolist())]
    M = torch.block_diag(*blocks)
    torch.testing.assert_close(M @ M.T, torch.eye(8), rtol=0, atol=1e-6)
    torch.testing.assert_close(table[:-k] @ M.T, table[k:], rtol=0, atol=2e-6)


# ---------------------------------------------------------------- rotary positions


def test_rotate_turns_each_pair_as_a_complex_number(book):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    turned = book["rotate"](x)
    assert turned.shape == x.shape and turned.dtype == x.dtype
    for t in range(9):
        for i in range(4):
            turn = complex(math.cos(t / 10000 ** (i / 4)), math.sin(t / 10000 ** (i / 4)))
            expected = torch.complex(x[:, :, t, 2 * i], x[:, :, t, 2 * i + 1]) * turn
            torch.testing.assert_close(turned[:, :, t, 2 * i], expected.real, rtol=0, atol=1e-10)
            torch.testing.assert_close(turned[:, :, t, 2 * i + 1], expected.imag, rtol=0, atol=1e-10)


def test_rotate_keeps_lengths_and_the_first_place(book):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 30, 6)
    turned = book["rotate"](x)
    torch.testing.assert_close(turned[..., 0, :], x[..., 0, :], rtol=0, atol=0)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert (turned[..., 1:, :] - x[..., 1:, :]).abs().amax(-1).min() > 0


def test_rotated_scores_know_the_offset_and_nothing_else(book):
    """The same query at every place, and the same key: the scores are constant along each diagonal."""
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 8).expand(2, 20, 8)
    scores = book["rotate"](q) @ book["rotate"](k).T
    for offset in range(-10, 11):
        diagonal = scores.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=2e-5)
    assert (scores.diagonal(3)[0] - scores.diagonal(-3)[0]).abs() > 0.1  # before is not after


def test_rotate_needs_pairs(book):
    with pytest.raises(ValueError, match="odd"):
        book["rotate"](torch.zeros(2, 5, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rotate_keeps_the_precision_and_is_the_exact_one_rounded(book, dtype):
    x = torch.randn(3, 40, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    turned, exact = book["rotate"](x), book["rotate"](x.double())
    assert turned.dtype == dtype
    bound = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(turned.double(), exact, rtol=bound, atol=bound)


def test_rotate_follows_its_input_to_another_device(book):
    x = torch.empty(2, 3, 4, device="meta")
    assert book["rotate"](x).device.type == "meta"


def test_sinusoids_in_64_bits_and_on_a_device(book):
    table = book["sinusoids"](500, 6, dtype=torch.float64)
    exact = [[f(t / 10000 ** (i / 3)) for i in range(3) for f in (math.sin, math.cos)] for t in range(500)]
    torch.testing.assert_close(table, torch.tensor(exact, dtype=torch.float64), **EXACT)
    assert torch.equal(table.float(), book["sinusoids"](500, 6))
    assert book["sinusoids"](5, 6, device="meta").device.type == "meta"


def test_rotary_attention_refuses_to_look_at_another_sequence(book):
    """There it would make the result depend on the order of the memory, though the two axes have nothing in common."""
    attention = book["RotaryAttention"](8, 2)
    x, memory = torch.randn(2, 2, 3, 8).unbind(0)
    for other in (memory, torch.randn(2, 5, 8), x.clone()):
        with pytest.raises(ValueError, match="query and memory must be one tensor"):
            attention(x, other)
    assert attention(x, x)[0].shape == x.shape


@pytest.mark.parametrize("D, H", [(6, 2), (9, 3), (5, 1)])
def test_rotary_attention_refuses_odd_heads_at_once(book, D, H):
    with pytest.raises(ValueError, match=f"width {D // H} is odd"):
        book["RotaryAttention"](D, H)


def test_rotary_attention_turns_queries_and_keys_and_not_values(book):
    torch.manual_seed(0)
    rotary, plain = (book[name](12, 3) for name in ("RotaryAttention", "MultiHeadAttention"))
    plain.load_state_dict(rotary.state_dict())  # the same parameters under the same names
    x = torch.randn(2, 7, 12)
    for name, mine, other in zip("qkv", rotary.project(x, x), plain.project(x, x)):
        expected = other if name == "v" else book["rotate"](other)
        torch.testing.assert_close(mine, expected, rtol=0, atol=0)


def test_rotary_attention_equals_a_loop(book):
    """Heads have pairs and speeds of their own: the angles go by the width of a head."""
    torch.manual_seed(1)
    B, T, D, H = 2, 6, 8, 2
    attention = book["RotaryAttention"](D, H)
    x = torch.randn(B, T, D)
    mask = torch.arange(T) < torch.tensor([6, 4])[:, None]
    output, weights = attention(x, x, mask[:, None])
    angles = torch.arange(T)[:, None] / 10000 ** (torch.arange(2) / 2)  # (T, d / 2), d = 4
    for b in range(B):
        mixed = []
        for h in range(H):
            q, k, v = (layer(x[b])[:, 4 * h : 4 * h + 4] for layer in (attention.query, attention.key, attention.value))
            turn = torch.polar(torch.ones_like(angles), angles)
            q, k = (torch.view_as_complex(z.reshape(T, 2, 2).contiguous()) * turn for z in (q, k))
            scores = (q[:, None] * k[None].conj()).sum(-1).real / 2  # the root of d is 2
            alpha = scores.masked_fill(~mask[b], -math.inf).softmax(-1)
            torch.testing.assert_close(weights[b, h], alpha, rtol=1e-4, atol=1e-5)
            mixed.append(alpha @ v)
        torch.testing.assert_close(output[b], attention.output(torch.cat(mixed, -1)), rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- the reader


def tagger(book, kind, seed=0, **sizes):
    torch.manual_seed(seed)
    sizes = {"n_letters": 9, "n_tags": 7, "d_model": 16, "n_heads": 2, "n_layers": 2} | sizes
    return book["LetterTagger"](**sizes, positions=kind)


KINDS = ["none", "sinusoidal", "learned", "rotary"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_without_positions_is_it_blind_to_order(book, kind):
    model = tagger(book, kind)
    ids = torch.tensor([[1, 3, 4, 5, 4, 6, 2]])
    order = torch.tensor([0, 3, 1, 5, 2, 4, 6])
    mask = torch.ones_like(ids, dtype=torch.bool)
    plain, moved = model(ids, mask), model(ids[:, order], mask)
    difference = (plain[:, order] - moved).abs().max().item()
    twins = (plain[0, 2] - plain[0, 4]).abs().max().item()  # the same letter at two places
    if kind == "none":
        assert difference < 1e-5 and twins < 1e-5
    else:
        assert difference > 1e-3 and twins > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_batch_mates_do_not_matter(book, kind):
    model = tagger(book, kind)
    ids = torch.tensor([[1, 3, 4, 5, 2, 0, 0], [1, 8, 7, 6, 5, 4, 2]])
    mask = ids > 0
    together = model(ids, mask)
    alone = model(ids[:1, :5], mask[:1, :5])
    torch.testing.assert_close(together[:1, :5], alone, rtol=1e-4, atol=1e-5)
    rubbish = ids.masked_fill(~mask, 8)
    torch.testing.assert_close(model(rubbish, mask)[mask], together[mask], rtol=1e-4, atol=1e-5)


def test_what_each_kind_has_to_learn(book):
    counts = {kind: sum(p.numel() for p in tagger(book, kind, longest=30).parameters()) for kind in KINDS}
    assert counts["none"] == counts["sinusoidal"] == counts["rotary"] == counts["learned"] - 30 * 16
    names = {kind: set(tagger(book, kind).state_dict()) for kind in KINDS}
    assert names["learned"] - names["none"] == {"positions"} and names["none"] == names["sinusoidal"]


def test_the_layers_are_added_to_what_was_there(book):
    """With its attention and networks silenced the tagger sees its letter and its place, and nothing more."""
    zeros = torch.zeros(5, 16)
    tables = {"none": zeros, "sinusoidal": book["sinusoids"](5, 16), "learned": None, "rotary": zeros}
    for kind, table in tables.items():
        model = tagger(book, kind)
        with torch.no_grad():
            for layer in [*[a.output for a in model.attentions], *[n[-1] for n in model.networks]]:
                layer.weight.zero_(), layer.bias.zero_()
        ids = torch.tensor([[1, 5, 3, 5, 2]])
        table = model.positions[:5] if table is None else table
        expected = model.output(model.embedding(ids) + table)
        torch.testing.assert_close(model(ids, ids > 0), expected, rtol=1e-5, atol=1e-6)


def test_a_layer_is_attention_then_a_network(book):
    model = tagger(book, "none", n_layers=1)
    ids = torch.tensor([[1, 5, 3, 2]])
    mask = ids > 0
    x = model.embedding(ids)
    x = x + model.attentions[0](x, x, mask[:, None])[0]
    first, bend, second = model.networks[0]
    assert first.weight.shape == (32, 16) and isinstance(bend, torch.nn.ReLU)
    x = x + second(F.relu(first(x)))
    torch.testing.assert_close(model(ids, mask), model.output(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_too_long_a_word_is_refused(book, kind):
    model = tagger(book, kind, longest=6)
    ids = torch.full((2, 7), 3)
    assert model(ids[:, :6], ids[:, :6] > 0).shape == (2, 6, 7)
    with pytest.raises(ValueError, match="7 symbols, and vectors for 6 positions"):
        model(ids, ids > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_where_entries_are_paired_must_the_width_be_even(book, kind):
    ids = torch.tensor([[1, 3, 4, 2]])
    if kind in ("none", "learned"):
        assert tagger(book, kind, d_model=9, n_heads=3)(ids, ids > 0).shape == (1, 4, 7)
        assert tagger(book, kind, d_model=6, n_heads=2)(ids, ids > 0).shape == (1, 4, 7)
        return
    with pytest.raises(ValueError, match="is odd"):
        tagger(book, kind, d_model=9, n_heads=3)
    if kind == "sinusoidal":  # heads of 3 entries are no trouble here, in rotary positions they are
        assert tagger(book, kind, d_model=6, n_heads=2)(ids, ids > 0).shape == (1, 4, 7)
    else:
        with pytest.raises(ValueError, match="width 3 is odd"):
            tagger(book, kind, d_model=6, n_heads=2)


def test_an_unknown_kind_is_refused(book):
    with pytest.raises(ValueError, match="none, sinusoidal, learned, rotary, not 'rotory'"):
        tagger(book, "rotory")


# ---------------------------------------------------------------- tags


@pytest.fixture(scope="module")
def aligner(book):
    """An aligner that has learned from a handful of words."""
    listed = [("cab", "K AE B"), ("back", "B AE K"), ("axe", "AE K S"), ("abe", "EY B"), ("bee", "B IY")] * 3
    return book["LetterAligner"]([w for w, _ in listed], [a.split() for _, a in listed])


class Fixed:
    """An aligner that answers what it was told."""

    def __init__(self, places):
        self.positions = places

    def letters(self, word, answer):
        return self.positions


@pytest.mark.parametrize(
    "word, answer, places, tags",
    [
        ("knight", "N AY T", [1, 2, 5], ["-", "N", "AY", "-", "-", "T"]),
        ("box", "B AA K S", [0, 1, 2, 2], ["B", "AA", "K S"]),
        ("queue", "K Y UW", [0, 1, 1], ["K", "Y UW", "-", "-", "-"]),
        ("a", "AH", [0], ["AH"]),
    ],
)
def test_tags_by_hand(book, word, answer, places, tags):
    assert book["tag_letters"](Fixed(places), word, answer.split()) == tags


def test_tags_joined_give_the_answer_back(book, aligner):
    for word, answer in [("cab", "K AE B"), ("xxb", "K S K S B"), ("back", "B AE K"), ("bbb", "IY")]:
        tags = book["tag_letters"](aligner, word, answer.split())
        assert len(tags) == len(word) and all(tags)
        assert " ".join(tag for tag in tags if tag != "-") == answer


def test_more_phonemes_than_the_letters_can_say(book, aligner):
    with pytest.raises(ValueError, match="two each at most"):
        book["tag_letters"](aligner, "ab", "AE B K S IY".split())


@pytest.mark.parametrize("answer", ["", "AE", "AE B"])
def test_an_answer_that_is_one_string_is_refused(book, aligner, answer):
    """Its characters would pass for phonemes."""
    with pytest.raises(ValueError, match=f"a sequence of phonemes, not the string '{answer}'"):
        book["tag_letters"](aligner, "cabbage", answer)


# ---------------------------------------------------------------- training and reading


def little_task(book):
    """Words of a, b and c in which c is silent after b, and says K elsewhere."""
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abc"), n)) for n in generator.integers(1, 7, 120)]
    said = [
        [{"a": "AH", "b": "B", "c": "-" if w[i - 1 : i] == "b" else "K"}[x] for i, x in enumerate(w)] for w in words
    ]
    letters, tags = book["Vocabulary"]("abc"), book["Vocabulary"](["AH", "B", "K", "-"])
    return words, said, letters, tags, [(letters.encode(w), tags.encode(s)) for w, s in zip(words, said)]


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_training_learns_a_task_that_needs_order(book, kind):
    words, said, letters, tags, pairs = little_task(book)
    model = tagger(book, kind, n_letters=len(letters), n_tags=len(tags), d_model=32)
    losses = {}
    book["train_tagger"](model, pairs, 160, 0.01, 0, batch_size=32, watch=losses.__setitem__, every=40)
    assert sorted(losses) == [40, 80, 120, 160] and losses[160] < 0.1 < losses[40]
    readings = book["read_tags"](model, [letters.encode(w) for w in words], tags, batch_size=7)
    expected = [[tag for tag in tags_of_word if tag != "-"] for tags_of_word in said]
    assert np.mean([a == b for a, b in zip(readings, expected)]) > 0.95


def test_training_without_positions_cannot(book):
    words, said, letters, tags, pairs = little_task(book)
    model = tagger(book, "none", n_letters=len(letters), n_tags=len(tags), d_model=32)
    losses = {}
    book["train_tagger"](model, pairs, 160, 0.01, 0, batch_size=32, watch=losses.__setitem__, every=40)
    assert losses[160] > 0.1


class Constant(torch.nn.Module):
    """Bets by a fixed row of logits, whatever it reads."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def forward(self, ids, mask):
        return self.logits.expand(*ids.shape, -1)


def test_marks_and_padding_cost_nothing(book):
    """The mean loss is over letters alone, and no gradient comes from what stands at marks."""
    pairs = [([1, 3, 2], [1, 3, 2]), ([1, 3, 4, 4, 2], [1, 4, 3, 3, 2])]
    model = Constant([0.5, -1.0, 2.0, 1.0, 0.25])
    row = model.logits.detach().log_softmax(-1)
    seen = {}
    book["train_tagger"](model, pairs, 1, 0.1, 0, batch_size=2, watch=seen.__setitem__, every=1)
    assert seen[1] == pytest.approx(-(3 * row[3] + row[4]).item() / 4, abs=1e-6)
    # Adam's first step goes by the sign of the gradient: down where the model bet too much
    fall = model.logits.detach() - torch.tensor([0.5, -1.0, 2.0, 1.0, 0.25])
    assert (fall[:3] < 0).all() and (fall[3:] > 0).all()


def test_the_rate_falls_to_zero_and_the_gradient_is_cut(book):
    """Two steps of Adam by hand: the second at half the rate, both with the gradient cut to length 1."""
    pairs = [([1, 3, 2], [1, 3, 2])] * 4
    model = Constant([0.0, 0.0, 0.0, 3.0, -9.0])
    by_hand = copy.deepcopy(model)
    book["train_tagger"](model, pairs, 2, 0.1, 0, batch_size=2)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.1)
    for step in range(2):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 2)
        optimizer.zero_grad()
        F.cross_entropy(by_hand.logits[None], torch.tensor([3])).backward()
        torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 1.0)
        optimizer.step()
    torch.testing.assert_close(model.logits, by_hand.logits, rtol=1e-5, atol=1e-7)


def test_gradients_are_cut_to_length_one(book, monkeypatch):
    """Adam hides the size of a constant gradient, so look at the one it is given."""

    class Steep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1))

        def forward(self, ids, mask):
            return F.pad(50 * self.w.expand(*ids.shape, 1), (3, 1))  # (B, S, 5): the bet on tag 3

    lengths, step = [], torch.optim.Adam.step

    def spy(self, *args, **kwargs):
        lengths.append(self.param_groups[0]["params"][0].grad.norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    book["train_tagger"](Steep(), [([1, 3, 2], [1, 3, 2])] * 2, 2, 1e-9, 0, batch_size=2)
    assert lengths == pytest.approx([1, 1], abs=1e-3)


def test_training_is_repeatable_and_goes_by_its_seed(book):
    words, said, letters, tags, pairs = little_task(book)
    found = []
    for seed in [0, 0, 1]:
        model = tagger(book, "rotary", n_letters=len(letters), n_tags=len(tags))
        book["train_tagger"](model, pairs, 3, 0.01, seed, batch_size=8)
        found.append(model.output.weight.detach().clone())
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_training_without_pairs_is_refused(book):
    with pytest.raises(ValueError, match="empty data"):
        book["train_tagger"](tagger(book, "none"), [], 2, 0.01, 0)


def test_training_trains_and_leaves_the_model_in_evaluation(book):
    """Whatever mode it comes in: dropout is on in every step and off afterwards."""
    words, said, letters, tags, pairs = little_task(book)
    for before in (True, False):
        model, modes = tagger(book, "none", n_letters=len(letters), n_tags=len(tags)).train(before), []
        model.register_forward_hook(lambda module, inputs, output, modes=modes: modes.append(module.training))
        book["train_tagger"](model, pairs, 3, 0.01, 0, batch_size=8)
        assert modes == [True] * 3 and not any(module.training for module in model.modules())


def test_a_word_needs_one_tag_a_letter(book):
    for pair in [([1, 3, 4, 2], [1, 3, 2]), ([1, 3, 2], [1, 3, 4, 2])]:
        with pytest.raises(ValueError, match="one tag a letter"):
            book["train_tagger"](tagger(book, "none"), [([1, 3, 2], [1, 3, 2]), pair], 2, 0.01, 0)


class Echo(torch.nn.Module):
    """Gives each letter the tag of the same id, and would rather say a mark."""

    def __init__(self, n_tags):
        super().__init__()
        self.n_tags = n_tags

    def forward(self, ids, mask):
        logits = F.one_hot(ids, self.n_tags).float()
        logits[..., :3] = 9.0
        return logits


def test_readings_keep_their_order_and_drop_the_silent(book):
    tags = book["Vocabulary"](["-", "AH", "K S", "N"])  # ids 3 to 6
    sources = [[1, 4, 5, 3, 2], [1, 6, 2], [1, 3, 2], [1, 6, 4, 6, 4, 6, 4, 2], [1, 5, 2]]
    expected = [["AH", "K", "S"], ["N"], [], ["N", "AH"] * 3, ["K", "S"]]
    for batch_size in [1, 2, 512]:
        assert book["read_tags"](Echo(7), sources, tags, batch_size) == expected


def test_reading_leaves_the_models_output_alone(book):
    """A model may hand out a tensor that it keeps."""
    tags = book["Vocabulary"](["-", "AH", "K S", "N"])

    class Keeps(Echo):
        def forward(self, ids, mask):
            self.kept = super().forward(ids, mask)
            self.as_given = self.kept.clone()
            return self.kept

    model = Keeps(7)
    assert book["read_tags"](model, [[1, 4, 5, 3, 2], [1, 6, 2]], tags) == [["AH", "K", "S"], ["N"]]
    assert torch.equal(model.kept, model.as_given)


def test_reading_leaves_no_gradient_and_needs_sources(book):
    tags = book["Vocabulary"](["-", "AH"])
    model = tagger(book, "none", n_tags=5)
    recorded = []
    model.register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
    book["read_tags"](model, [[1, 3, 2]], tags)
    assert recorded == [False]
    with pytest.raises(ValueError, match="empty data"):
        book["read_tags"](model, [], tags)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_mates_do_not_change_a_reading(book, kind):
    tags = book["Vocabulary"](["-", "AH", "K S", "N"])
    model = tagger(book, kind, n_tags=len(tags))
    generator = np.random.default_rng(0)
    sources = [[1, *generator.integers(3, 9, n).tolist(), 2] for n in generator.integers(1, 12, 30)]
    alone = [book["read_tags"](model, [source], tags)[0] for source in sources]
    assert book["read_tags"](model, sources, tags, batch_size=8) == alone
