"""Chapter 8's definitions: additive, uniform and windowed attention, their readers, and the EM aligner."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
import torch

B, T, S, N, M, A = 4, 3, 6, 5, 7, 8  # all different, so that no axis can stand for another
LENGTHS = [6, 1, 4, 3]


@pytest.fixture(scope="module")
def made(book):
    """Additive attention in 64 bits with queries, a memory and a ragged mask."""
    torch.manual_seed(3)
    attention = book["AdditiveAttention"](N, M, A).double()
    query = torch.randn(B, T, N, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(B, S, M, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(S) < torch.tensor(LENGTHS)[:, None]
    return attention, query, memory, mask


def by_loops(attention, query, memory):
    """The equation, one number at a time."""
    W_q, W_k, v = attention.W_q.weight, attention.W_k.weight, attention.v.weight[0]
    contexts, weights = [], []
    for b in range(B):
        for t in range(T):
            scores = [v @ torch.tanh(W_q @ query[b, t] + W_k @ memory[b, j]) for j in range(LENGTHS[b])]
            total = sum(score.exp() for score in scores)
            row = [score.exp() / total for score in scores]
            contexts.append(sum(row[j] * memory[b, j] for j in range(LENGTHS[b])))
            weights.append(torch.stack(row + [row[0] * 0] * (S - LENGTHS[b])))
    return torch.stack(contexts).view(B, T, M), torch.stack(weights).view(B, T, S)


def test_additive_attention_is_the_equation_with_gradients(made):
    attention, query, memory, mask = made
    contexts, weights = attention(query, memory, mask)
    expected = by_loops(attention, query, memory)
    inputs = [query, memory, *attention.parameters()]
    torch.manual_seed(4)
    along = torch.randn_like(contexts)
    for ours, loops in zip((contexts, weights), expected):
        torch.testing.assert_close(ours, loops, rtol=1e-10, atol=1e-10)
    ours, loops = (torch.autograd.grad((c * along).sum(), inputs) for c in (contexts, expected[0]))
    for mine, other in zip(ours, loops):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["AdditiveAttention", "UniformAttention"])
def test_weights_are_shares_and_padding_has_none(book, made, kind):
    additive, query, memory, mask = made
    if kind == "AdditiveAttention":
        contexts, weights = additive(query, memory, mask)
    else:
        contexts, weights = book[kind]()(query, memory, mask)
    assert contexts.shape == (B, T, M) and weights.shape == (B, T, S)
    assert (weights >= 0).all()
    padded = ~mask[:, None].expand_as(weights)
    assert (weights[padded] == 0).all() and (weights[~padded] > 0).all()
    torch.testing.assert_close(weights.sum(-1).double(), torch.ones(B, T, dtype=torch.float64))


def test_what_stands_at_a_padded_position_changes_nothing(made):
    attention, query, memory, mask = made
    noise = torch.where(mask[..., None], memory, 1e3 * torch.randn_like(memory))
    for before, after in zip(attention(query, memory, mask), attention(query, noise, mask)):
        assert torch.equal(before, after)
    (gradient,) = torch.autograd.grad(attention(query, memory, mask)[0].sum(), memory)
    assert (gradient[~mask] == 0).all() and torch.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(2, 3), (4, 1), (2, 3, 4)])
def test_check_mask_hands_on_a_good_mask_and_makes_one_for_none(book, shape):
    torch.manual_seed(0)
    mask = torch.rand(shape) < 0.5
    assert book["check_mask"](mask, shape, mask.device) is mask
    assert book["check_mask"](mask, torch.Size(shape), mask.device) is mask
    made = book["check_mask"](None, shape, torch.device("meta"))
    assert made.shape == shape and made.dtype == torch.bool and made.device.type == "meta"
    assert book["check_mask"](None, shape, torch.device("cpu"), every_row=True).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.int64, torch.uint8])
def test_check_mask_refuses_a_mask_of_numbers(book, kind):
    """Zero and minus infinity, or one and zero: nothing tells which convention was meant."""
    with pytest.raises(ValueError, match="the mask is boolean, True where a position may be attended to, not torch"):
        book["check_mask"](torch.ones(2, 3, dtype=kind), (2, 3), torch.device("cpu"))


@pytest.mark.parametrize("wrong", [[[True, False]], "mask", np.ones((1, 2))])
def test_check_mask_refuses_what_is_no_boolean_tensor(book, wrong):
    with pytest.raises(ValueError, match="the mask is boolean"):
        book["check_mask"](wrong, (1, 2), torch.device("cpu"))


@pytest.mark.parametrize("shape", [(3, 2), (1, 3), (2, 1), (3,), (2, 1, 3), ()])
def test_check_mask_refuses_another_shape(book, shape):
    """Most of these would broadcast."""
    with pytest.raises(ValueError, match=r"expected a mask of shape \(2, 3\), not \("):
        book["check_mask"](torch.ones(shape, dtype=torch.bool), (2, 3), torch.device("cpu"))


def test_check_mask_refuses_a_row_of_padding_only_where_it_is_asked_to(book):
    mask = torch.tensor([[True, False], [False, True], [False, False]])
    assert book["check_mask"](mask, (3, 2), mask.device) is mask
    with pytest.raises(ValueError, match="row 2 of the mask is all padding"):
        book["check_mask"](mask, (3, 2), mask.device, every_row=True)
    with pytest.raises(ValueError, match="row 5 of the mask is all padding"):
        book["check_mask"](torch.stack([mask | True, mask]), (2, 3, 2), mask.device, every_row=True)


@pytest.mark.parametrize("kind", ["AdditiveAttention", "UniformAttention"])
def test_a_wrong_mask_is_refused_and_none_is_everything(book, made, kind):
    additive, query, memory, mask = made
    attention = additive if kind == "AdditiveAttention" else book[kind]()
    empty = mask.clone()
    empty[2] = False
    with pytest.raises(ValueError, match="row 2 of the mask is all padding"):
        attention(query, memory, empty)
    for numbers in (mask.double(), mask.long()):
        with pytest.raises(ValueError, match="the mask is boolean"):
            attention(query, memory, numbers)
    for other in (mask[:1], mask[:, :1], mask[:, None], mask.T):
        with pytest.raises(ValueError, match=rf"expected a mask of shape \({B}, {S}\)"):
            attention(query, memory, other)
    for mine, full in zip(attention(query, memory, None), attention(query, memory, torch.ones_like(mask))):
        assert torch.equal(mine, full)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["AdditiveAttention", "UniformAttention"])
def test_contexts_and_weights_have_the_dtype_of_the_memory(book, made, kind, dtype):
    additive, query, memory, mask = made
    attention = (copy.deepcopy(additive) if kind == "AdditiveAttention" else book[kind]()).to(dtype)
    with torch.no_grad():
        contexts, weights = attention(query.to(dtype), memory.to(dtype), mask)
        exact = (additive if kind == "AdditiveAttention" else attention)(query, memory, mask)
    assert contexts.dtype == weights.dtype == dtype
    torch.testing.assert_close(contexts.double(), exact[0], rtol=0.05, atol=0.05)


def test_uniform_attention_is_the_mean_over_real_positions(book, made):
    _, query, memory, mask = made
    contexts, weights = book["UniformAttention"]()(query, memory, mask)
    for b, length in enumerate(LENGTHS):
        even = torch.full((T, length), 1 / length, dtype=torch.float64)
        torch.testing.assert_close(weights[b, :, :length], even, rtol=1e-12, atol=0)
        for t in range(T):
            torch.testing.assert_close(contexts[b, t], memory[b, :length].mean(0), rtol=1e-10, atol=1e-12)


def reader(book, n_phonemes=7, hidden=6, seed=0):
    torch.manual_seed(seed)
    model = book["AttentionReader"](8, n_phonemes, 4, hidden, book["AdditiveAttention"](hidden, hidden, 5))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model.eval()


WORDS = [[1, 4, 5, 2], [1, 6, 3, 7, 4, 3, 2], [1, 5, 2]]
SPOKEN = [[1, 3, 4, 2], [1, 5, 2], [1, 6, 3, 4, 5, 2]]


def test_a_trained_reader_can_be_copied_and_all_of_its_attention_learns(book):
    model = reader(book).train()
    source, mask = book["pad_batch"](WORDS)
    target, _ = book["pad_batch"](SPOKEN)
    logits = model(source, mask, target[:, :-1])
    logits.sum().backward()
    assert torch.equal(copy.deepcopy(model)(source, mask, target[:, :-1]), logits)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.attention.parameters())


@pytest.mark.parametrize("hidden", [5, 7])
def test_an_odd_width_is_refused(book, hidden):
    with pytest.raises(ValueError, match=f"even, not {hidden}"):
        book["AttentionReader"](8, 7, 4, hidden, book["UniformAttention"]())


def test_a_word_reads_the_same_in_any_company(book):
    model = reader(book).double()
    source, mask = book["pad_batch"](WORDS)
    target, real = book["pad_batch"](SPOKEN)
    together, _, weights = model.attend_and_advance(target[:, :-1], model.start(source, mask))
    assert torch.equal(model(source, mask, target[:, :-1]), together)
    for i, (word, spoken) in enumerate(zip(WORDS, SPOKEN)):
        state = model.start(*book["pad_batch"]([word]))
        alone, _, own = model.attend_and_advance(torch.tensor([spoken[:-1]]), state)
        torch.testing.assert_close(together[i, : len(spoken) - 1], alone[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(weights[i, : len(spoken) - 1, : len(word)], own[0], rtol=1e-10, atol=1e-10)
        assert (weights[i, :, len(word) :] == 0).all()


def test_teacher_forcing_equals_one_step_at_a_time(book):
    model = reader(book).double()
    source, mask = book["pad_batch"](WORDS)
    target, _ = book["pad_batch"](SPOKEN)
    whole = model(source, mask, target[:, :-1])
    state, steps = model.start(source, mask), []
    for t in range(target.shape[1] - 1):
        logits, state = model.advance(target[:, t : t + 1], state)
        steps.append(logits)
    torch.testing.assert_close(whole, torch.cat(steps, dim=1), rtol=1e-10, atol=1e-10)


def test_the_logits_come_from_state_and_context_side_by_side(book):
    """Another memory, with the same state, changes the logits, and they are the equation's."""
    model = reader(book).double()
    s, memory, mask = model.start(*book["pad_batch"](WORDS))
    ids = torch.tensor([row[:1] for row in SPOKEN])
    for other in (memory, memory + torch.linspace(-1, 1, memory.numel()).view_as(memory)):
        logits, (after, _, _) = model.advance(ids, (s, other, mask))
        context, _ = model.attention(after[:, None], other, mask)  # after one step the state is the query
        mixed = torch.tanh(model.combine(torch.cat([after[:, None], context], dim=-1)))
        torch.testing.assert_close(logits, model.output(mixed), rtol=1e-10, atol=1e-10)


def test_every_letter_and_every_earlier_phoneme_can_matter(book):
    """The gradient reaches all of the word and the phonemes before, and no later ones."""
    model = reader(book).double()
    embedded = {}
    for name, layer in {"letters": model.encoder.embedding, "phonemes": model.embedding}.items():
        layer.register_forward_hook(lambda _, __, out, name=name: embedded.setdefault(name, out.requires_grad_()))
    source, mask = book["pad_batch"]([WORDS[1]])
    logits = model(source, mask, torch.tensor([SPOKEN[2][:-1]]))
    by_letter, by_phoneme = torch.autograd.grad(logits[0, 2].pow(2).sum(), [embedded["letters"], embedded["phonemes"]])
    assert (by_letter[0].norm(dim=-1) > 0).all()
    reached = by_phoneme[0].norm(dim=-1) > 0
    assert reached.tolist() == [True, True, True, False, False]


def test_the_beam_finds_what_exhaustive_search_finds(book):
    """A vocabulary of three phonemes and readings of at most three."""
    vocabulary = book["Vocabulary"]("abc")
    model = reader(book, n_phonemes=len(vocabulary), seed=5)
    longest = 4  # symbols after the start mark, the end mark included
    outcomes = [vocabulary.ids[x] for x in "abc"]
    for word in WORDS:
        source, mask = book["pad_batch"]([word])
        best = {}
        for n in range(longest):
            for said in itertools.product(outcomes, repeat=n):
                ids = torch.tensor([[vocabulary.START, *said, vocabulary.END]])
                with torch.no_grad():
                    log_p = model(source, mask, ids[:, :-1]).log_softmax(-1)
                best[said] = float(log_p[0].gather(-1, ids[0, 1:, None]).sum())
        said, score = max(best.items(), key=lambda item: item[1])
        found = book["beam_search"](model, [word], vocabulary, width=200, longest=longest)[0]
        assert found[0][0] == [vocabulary.symbols[i] for i in said]
        assert math.isclose(found[0][1], score, rel_tol=1e-4)


def test_decoding_stops_and_refuses_an_empty_word(book):
    vocabulary = book["Vocabulary"]("abcd")
    model = reader(book, n_phonemes=len(vocabulary))
    readings = book["read_greedily"](model, WORDS, vocabulary, longest=9)
    assert len(readings) == 3 and all(len(reading) <= 9 for reading in readings)
    with pytest.raises(ValueError, match="empty word"):
        book["read_greedily"](model, [[1, 2]], vocabulary)


# ---------------------------------------------------------------- windows


def window(book, fixed=False):
    torch.manual_seed(6)
    attention = book["WindowAttention"](N, fixed).double()
    with torch.no_grad():
        if not fixed:
            attention.step.weight.normal_()
        attention.step.bias.fill_(0.3)
        attention.log_width.fill_(-0.4)
    return attention


@pytest.mark.parametrize("fixed", [False, True])
def test_a_window_is_the_bump_that_the_equation_says(book, made, fixed):
    """One number at a time, from centres that are all different, and with gradients."""
    _, query, memory, mask = made
    attention, start = window(book, fixed), torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    contexts, weights, centre = attention(query, memory, mask, start)
    w, b, width = attention.step.weight[0], attention.step.bias[0], attention.log_width.exp()
    rows, ends = [], []
    for i, length in enumerate(LENGTHS):
        m = start[i]
        for t in range(T):
            m = m + torch.nn.functional.softplus(w @ query[i, t] + b)
            bump = [torch.exp(-((j - m) ** 2) / (2 * width**2)) for j in range(length)]
            rows.append(torch.stack([x / sum(bump) for x in bump] + [0 * m] * (S - length)))
        ends.append(m)
    expected = torch.stack(rows).view(B, T, S)
    torch.testing.assert_close(weights, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(contexts, expected @ memory, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(centre, torch.stack(ends), rtol=1e-10, atol=1e-10)
    inputs = [p for p in attention.parameters() if p.requires_grad]
    ours, loops = (torch.autograd.grad((x @ memory).pow(2).sum(), inputs) for x in (weights, expected))
    for mine, other in zip(ours, loops):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-10)


def test_a_window_moves_right_and_gives_padding_nothing(book, made):
    _, query, memory, mask = made
    _, weights, centre = window(book)(query, memory, mask, torch.zeros(B, dtype=torch.float64))
    assert (centre > 0).all() and (weights[~mask[:, None].expand_as(weights)] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, T, dtype=torch.float64))
    expected = (weights * torch.arange(S)).sum(-1).detach()
    assert (expected.diff(dim=1) >= 0).all()


def test_a_fixed_window_learns_two_numbers_and_asks_no_query(book, made):
    _, query, memory, mask = made
    fixed, moving = (book["WindowAttention"](N, kind).double() for kind in (True, False))
    assert sum(p.numel() for p in fixed.parameters() if p.requires_grad) == 2
    assert sum(p.numel() for p in moving.parameters() if p.requires_grad) == N + 2
    start = torch.zeros(B, dtype=torch.float64)
    _, weights, centre = fixed(query, memory, mask, start)
    _, others, _ = fixed(query.flip(0), memory, mask, start)
    assert torch.equal(weights, others)
    torch.testing.assert_close(centre, torch.full((B,), T * math.log1p(math.exp(0.8)), dtype=torch.float64))


def test_a_window_refuses_a_wrong_mask(book, made):
    _, query, memory, mask = made
    empty = mask.clone()
    empty[1] = False
    start = torch.zeros(B, dtype=torch.float64)
    with pytest.raises(ValueError, match="row 1 of the mask is all padding"):
        window(book)(query, memory, empty, start)
    for mine, full in zip(window(book)(query, memory, None, start), window(book)(query, memory, mask | True, start)):
        assert torch.equal(mine, full)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_window_reader_keeps_its_centre_from_step_to_step(book, fixed):
    torch.manual_seed(7)
    model = book["WindowReader"](8, 7, 4, 6, book["WindowAttention"](6, fixed)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    source, mask = book["pad_batch"](WORDS)
    target, _ = book["pad_batch"](SPOKEN)
    state = model.start(source, mask)
    assert torch.equal(state[3], torch.zeros(len(WORDS)))
    whole, after, weights = model.attend_and_advance(target[:, :-1], state)
    assert weights.shape == (3, 5, 7) and torch.equal(whole, model(source, mask, target[:, :-1]))
    steps = []
    for t in range(target.shape[1] - 1):
        logits, state = model.advance(target[:, t : t + 1], state)
        steps.append(logits)
    torch.testing.assert_close(whole, torch.cat(steps, dim=1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(state[3], after[3], rtol=1e-4, atol=1e-6)


def test_letter_moves_hold_every_alignment_once(book):
    """Counted against brute force over how many phonemes each letter says."""
    for word, answer in [("ab", "XY"), ("abc", "X"), ("abcd", "XYZXYZ"), ("a", "XY")]:
        moves = book["letter_moves"](word, list(answer))
        ways = {(0, 0): 1}
        for start, end, (letter, said) in moves:
            assert word[start[0]] == letter and answer[start[1] : end[1]] == "".join(said)
            assert end[0] == start[0] + 1 and end[1] - start[1] == len(said) <= 2
            ways[end] = ways.get(end, 0) + ways[start]
            assert 0 <= len(answer) - end[1] <= 2 * (len(word) - end[0])  # the rest can still be said
        assert moves[-1][1] == (len(word), len(answer))
        brute = sum(sum(c) == len(answer) for c in itertools.product(range(3), repeat=len(word)))
        assert ways[len(word), len(answer)] == brute
        assert len(set(moves)) == len(moves)


@pytest.mark.parametrize("word, answer", [("a", ["X", "Y", "Z"]), ("ab", []), ("", ["X"])])
def test_what_letters_cannot_say_is_refused(book, word, answer):
    with pytest.raises(ValueError, match="cannot say"):
        book["letter_moves"](word, answer)
    aligner = book["LetterAligner"](["a"], [["X"]], rounds=1)
    with pytest.raises(ValueError, match="cannot say"):
        aligner.letters(word, answer)


def test_a_string_is_no_sequence_of_phonemes(book):
    """Its characters would be taken for phonemes in silence."""
    aligner = book["LetterAligner"](["phone"], [["F", "OW", "N"]], rounds=1)
    for call in (
        lambda: book["letter_moves"]("phone", "F OW N"),
        lambda: aligner.letters("phone", "F OW N"),
        lambda: book["LetterAligner"](["phone"], ["F OW N"]),
    ):
        with pytest.raises(ValueError, match="a sequence of phonemes, not the string 'F OW N'"):
            call()


def test_as_many_answers_as_words_are_asked_for(book):
    with pytest.raises(ValueError, match="shorter"):
        book["LetterAligner"](["ab", "a"], [["A"]])


def planted(count=400, seed=0):
    """Words of an invented spelling: h says nothing, x says two phonemes, the others one each."""
    says = {"a": ["AA"], "b": ["B"], "c": ["K"], "d": ["D"], "h": [], "x": ["K", "S"]}
    generator = np.random.default_rng(seed)
    words, answers, places = [], [], []
    while len(words) < count:
        word = "".join(generator.choice(list(says), size=generator.integers(2, 9)))
        answer = [phoneme for letter in word for phoneme in says[letter]]
        if answer:
            words.append(word)
            answers.append(answer)
            places.append([j for j, letter in enumerate(word) for _ in says[letter]])
    return words, answers, places


def test_em_finds_a_planted_alignment(book):
    words, answers, _ = planted()
    aligner = book["LetterAligner"](words, answers)
    new_words, new_answers, places = planted(200, seed=1)
    found = [aligner.letters(word, answer) for word, answer in zip(new_words, new_answers)]
    right = sum(a == b for mine, true in zip(found, places) for a, b in zip(mine, true))
    assert right / sum(map(len, places)) > 0.98
    assert all(mine == sorted(mine) and len(mine) == len(true) for mine, true in zip(found, places))
    assert max(np.bincount(mine).max() for mine in found) <= 2


def test_an_aligner_can_be_pickled_and_does_not_grow_when_it_is_asked(book):
    words, answers, _ = planted(50)
    aligner = book["LetterAligner"](words, answers, rounds=2)
    before = dict(aligner.p)
    unseen = aligner.letters("qaz", ["NEW", "AA"])
    assert len(unseen) == 2 and aligner.p == before
    again = copy.copy(aligner)
    vars(again).update(pickle.loads(pickle.dumps(vars(aligner))))
    assert again.p == before and again.letters("qaz", ["NEW", "AA"]) == unseen


def em_by_enumeration(words, answers, rounds):
    """The same learning with every alignment of every word written out."""
    p = {}
    for _ in range(rounds):
        counts = {}
        for word, answer in zip(words, answers):
            ways = []
            for sizes in itertools.product(range(3), repeat=len(word)):
                if sum(sizes) == len(answer):
                    ends = np.cumsum(sizes)
                    said = [(x, tuple(answer[e - n : e])) for x, n, e in zip(word, sizes, ends)]
                    ways.append((math.prod(p.get(move, 1.0) for move in said), said))
            total = sum(weight for weight, _ in ways)
            for weight, said in ways:
                for move in said:
                    counts[move] = counts.get(move, 0.0) + weight / total
        letter_totals = {}
        for (letter, _), count in counts.items():
            letter_totals[letter] = letter_totals.get(letter, 0.0) + count
        p = {move: count / letter_totals[move[0]] for move, count in counts.items()}
    return p


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_em_equals_em_over_all_alignments_written_out(book, rounds):
    words, answers = ["ab", "cabx", "xb", "hah"], [["AA", "B"], list("KABKS"), list("KSB"), ["AA"]]
    expected = em_by_enumeration(words, answers, rounds)
    learned = book["LetterAligner"](words, answers, rounds).p
    assert set(expected) == {move for move, value in learned.items() if value > 1e-8 or move in expected}
    for move, value in expected.items():
        assert math.isclose(learned[move], value, rel_tol=1e-9, abs_tol=1e-12)


def test_em_raises_the_likelihood_and_keeps_probabilities(book):
    words, answers, _ = planted(100)

    def log_likelihood(aligner):
        total = 0.0
        for word, answer in zip(words, answers):
            sums = {(0, 0): 1.0}
            for start, end, said in book["letter_moves"](word, answer):
                sums[end] = sums.get(end, 0.0) + sums.get(start, 0.0) * aligner.p[said]
            total += math.log(sums[len(word), len(answer)])
        return total

    aligners = [book["LetterAligner"](words, answers, rounds) for rounds in (1, 2, 4, 8)]
    scores = [log_likelihood(aligner) for aligner in aligners]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 1
    for aligner in aligners:
        for letter in set("".join(words)):
            total = sum(p for (sayer, _), p in aligner.p.items() if sayer == letter)
            assert math.isclose(total, 1, rel_tol=1e-6)
