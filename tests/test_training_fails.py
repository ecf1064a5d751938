"""The page "When training fails": each of its rows that no chapter reproduces is reproduced here, with the book's own
definitions on data of a second's size, and every row names a test or a section that exists."""

import math
import re
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.support.form import reading
from tools import notebooks as nb

PAGE = nb.ROOT / "book" / "when_training_fails.md"
SOUNDS = "ABCDEFGH"  # a language in which every letter has one sound
FLOOR = math.log(len(SOUNDS))  # of a loss whose targets are drawn evenly, the end mark aside


@pytest.fixture
def toy(book):
    """A vocabulary for both sides, and a maker of pairs: `learnable` if each letter has one sound, else by lot."""
    torch.manual_seed(0)
    symbols = book["Vocabulary"]([*SOUNDS, *SOUNDS.lower()])

    def pairs(n, learnable=True, seed=0, ends=True):
        generator, made = torch.Generator().manual_seed(seed), []
        for _ in range(n):
            length = int(torch.randint(3, 6, (1,), generator=generator))
            word, lot = torch.randint(len(SOUNDS), (2, length), generator=generator).tolist()
            said = [SOUNDS[i] for i in (word if learnable else lot)]
            target = symbols.encode(said)
            made.append((symbols.encode([SOUNDS[i].lower() for i in word]), target if ends else target[:-1]))
        return made

    def reader():
        torch.manual_seed(1)
        return book["Transformer"](len(symbols), len(symbols), 32, 2, 64, 1)

    return SimpleNamespace(symbols=symbols, pairs=pairs, reader=reader, log_v=math.log(len(symbols)))


def loss_of(book, model, pairs, shift=1, smoothing=0.0):
    source, mask = book["pad_batch"]([source for source, _ in pairs])
    target, _ = book["pad_batch"]([target for _, target in pairs])
    logits = model(source, mask, target[:, :-1]).transpose(1, 2)
    wanted = target[:, shift : shift + logits.shape[2]]
    return F.cross_entropy(logits, wanted, ignore_index=0, label_smoothing=smoothing)


def train(book, model, batches, optimizer=None, rate=0.005, zero=True, clip=None, **options):
    """A plain loop, in which a mistake can be made. Returns the losses."""
    optimizer, losses = optimizer or torch.optim.Adam(model.parameters(), rate), []
    for pairs in batches:
        loss = loss_of(book, model, pairs, **options)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return losses


def right(book, model, toy, pairs):
    """The share of words that greedy decoding gets right."""
    model.eval()
    said = book["read_greedily"](model, [source for source, _ in pairs], toy.symbols, longest=10)
    return sum(s == toy.symbols.decode(target) for s, (_, target) in zip(said, pairs)) / len(pairs)


def test_without_a_mistake_it_learns(book, toy):
    model = toy.reader()
    losses = train(book, model, [toy.pairs(32, seed=k) for k in range(120)])
    assert losses[0] > 0.8 * toy.log_v and losses[-1] < 0.1
    assert right(book, model, toy, toy.pairs(50, seed=999)) > 0.9


def subwords_of(book, texts):
    return book["Subwords"](texts, 30)


# ---------------------------------------------------------------- the loss does not move


def test_an_optimiser_of_other_weights(book, toy):
    model, other = toy.reader(), toy.reader()
    losses = train(book, model, [toy.pairs(8)] * 8, torch.optim.Adam(other.parameters(), 0.005))
    assert losses == pytest.approx([losses[0]] * 8) and toy.log_v - 0.5 < losses[0] < toy.log_v + 1.5
    assert all(p.grad is not None for p in model.parameters()), "the gradients are there, and nobody uses them"


def test_a_gradient_cut_off(book, toy):
    """A detach in the encoder: half of the model gets no gradient."""
    model = toy.reader()
    start = model.start
    model.start = lambda source, mask: tuple(x.detach() for x in start(source, mask))
    loss_of(book, model, toy.pairs(8)).backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert any(name.startswith("encoder") for name in untouched)
    assert not any(name.startswith("decoder") for name in untouched)


def test_a_rate_far_too_large(book, toy):
    batches = [toy.pairs(32, seed=k) for k in range(60)]
    good, bad = (train(book, toy.reader(), batches, rate=rate) for rate in (0.005, 1.0))
    assert max(bad) > 2 * toy.log_v and min(bad[30:]) > 1.5 > good[-1]


def test_answers_to_other_words(book, toy):
    """Sources out of step with targets: the model learns how often each sound occurs, and no more."""
    losses = []
    for sources_of in (0, 1000):
        batches = []
        for k in range(100):
            sources, targets = toy.pairs(32, seed=k + sources_of), toy.pairs(32, seed=k)
            batches.append([(source, target) for (source, _), (_, target) in zip(sources, targets)])
        losses.append(sum(train(book, toy.reader(), batches)[-10:]) / 10)
    assert losses[0] < 0.3 and losses[1] > 0.7 * FLOOR


# ---------------------------------------------------------------- the loss is too good


def lot(toy, n):
    return [toy.pairs(48, learnable=False, seed=k) for k in range(n)]


def floor_by_lot(toy):
    """The least mean loss of targets by lot: ln 8 for each sound; how long a word is its source says."""
    targets = [target for _, target in toy.pairs(500, learnable=False)]
    return FLOOR * sum(len(t) - 2 for t in targets) / sum(len(t) - 1 for t in targets)


def test_with_a_causal_mask_a_lot_is_a_lot(book, toy):
    assert train(book, toy.reader(), lot(toy, 60))[-1] > 0.9 * floor_by_lot(toy)


@pytest.mark.parametrize("mask", ["none", "inverted"])
def test_no_causal_mask(book, toy, monkeypatch, mask):
    """Targets are drawn by lot, so that only who looks ahead can guess them."""
    masks = {"none": torch.ones_like, "inverted": torch.triu}
    monkeypatch.setitem(
        book, "causal_mask", lambda n, device=None: masks[mask](torch.ones(n, n, dtype=torch.bool, device=device))
    )
    model = toy.reader()
    assert train(book, model, lot(toy, 150), rate=0.01)[-1] < 0.5 * floor_by_lot(toy)
    assert looks_ahead(book, model, toy)


def looks_ahead(book, model, toy):
    """The page's check: change a later symbol and see whether an earlier bet moves."""
    ((source, target),) = toy.pairs(1)
    changed = [*target[:3], *(3 + (i - 2) % len(SOUNDS) for i in target[3:])]
    source, mask = book["pad_batch"]([source])
    model.eval()
    with torch.no_grad():
        before, after = (model(source, mask, torch.tensor([ids]))[0, :3] for ids in (target, changed))
    return bool((before - after).abs().max() > 1e-6)


def test_a_causal_mask_in_place(book, toy):
    assert not looks_ahead(book, toy.reader(), toy)


def test_targets_not_shifted(book, toy):
    """The model is asked for the symbol that it was just given. It copies, and alone it repeats the start mark."""
    model = toy.reader()
    losses = train(book, model, [toy.pairs(32, seed=k) for k in range(100)], shift=0)
    assert losses[-1] < 0.05
    assert right(book, model, toy, toy.pairs(50, seed=999)) < 0.1


# ---------------------------------------------------------------- not a number, and other leaps


def test_a_row_that_is_all_padding(book):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 8).unbind(0)
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[1, 2] = False
    context, _ = book["attend"](query, key, value, mask)
    assert torch.isnan(context[1, 2]).all() and torch.isfinite(context[0]).all()
    assert (~mask.any(-1)).nonzero().tolist() == [[1, 2]]  # the page's check
    output, _ = book["MultiHeadAttention"](8, 2)(query, key, mask)
    assert torch.isfinite(output).all()


def test_one_nan_spoils_shared_weights(book, toy, monkeypatch):
    """A mask inverted, and attention that does not guard against it: rows that are thrown away spoil the gradient."""
    model = toy.reader()
    for module in model.modules():
        if isinstance(module, book["MultiHeadAttention"]):

            def forward(query, memory, mask, self=module):
                context, weights = book["attend"](*self.project(query, memory), mask[..., None, :, :])
                return self.output(context.transpose(1, 2).flatten(2)), weights

            module.forward = forward
    pairs = toy.pairs(8)
    source, mask = book["pad_batch"]([source for source, _ in pairs])
    target, _ = book["pad_batch"]([target for _, target in pairs])
    assert torch.isfinite(model(source, mask, target[:, :-1])).all()
    logits = model(source, ~mask, target[:, :-1])  # the longest words have no padding to look at
    finite = torch.isfinite(logits).all(-1).all(-1)
    assert finite.tolist() == (~mask).any(-1).tolist() and 0 < finite.sum() < len(finite)
    logits[finite].sum().backward()
    assert torch.isnan(model.encoder[0].attention.value.weight.grad).all()


def test_gradients_that_add_up(book, toy):
    """Without zero_grad the same batch gives a gradient that grows with every pass."""
    model, norms = toy.reader(), []
    for _ in range(3):
        loss_of(book, model, toy.pairs(8)).backward()
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), math.inf)))
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-3) and norms[2] == pytest.approx(3 * norms[0], rel=1e-3)
    batches = [toy.pairs(32, seed=k) for k in range(80)]
    good, bad = (train(book, toy.reader(), batches, zero=zero)[-1] for zero in (True, False))
    assert bad > good + 0.5


# ---------------------------------------------------------------- the loss is good, the output is not


def test_no_end_mark_in_the_targets(book, toy):
    model = toy.reader()
    train(book, model, [toy.pairs(32, seed=k, ends=False) for k in range(80)])
    said = book["read_greedily"](model.eval(), [source for source, _ in toy.pairs(50)], toy.symbols, longest=12)
    assert all(len(reading) == 12 for reading in said)  # the page's check: the share that reaches the limit


def test_hardly_trained_it_repeats(book, toy):
    """An untrained reader has no reason to stop, nor to say anything new."""
    model, pairs = toy.reader(), toy.pairs(60)
    said = book["read_greedily"](model.eval(), [source for source, _ in pairs], toy.symbols, longest=20)
    repeats = sum(a == b for reading in said for a, b in zip(reading, reading[1:]))
    assert repeats > 0.5 * sum(len(reading) - 1 for reading in said)
    assert sum(len(reading) == 20 for reading in said) > 0.5 * len(said)


def test_a_word_without_effect(book, toy):
    """The mask of the letters inverted: the model looks at padding, and says the same to every word of a length."""
    model = toy.reader().eval()
    words = [source for source, _ in toy.pairs(40) if len(source) == 5][:6]
    source, mask = book["pad_batch"]([*words, toy.symbols.encode("abcde")])  # a longer word, so that there is padding
    target = torch.full((len(source), 1), toy.symbols.START)
    with torch.no_grad():
        good, bad = (model(source, m, target)[: len(words), 0] for m in (mask, ~mask))
    assert (good - good[:1]).abs().max() > 1e-3 and (bad - bad[:1]).abs().max() < 1e-5


def test_scored_in_pieces_or_shifted(book):
    """Perfect translations, scored 100, near zero with their pieces left apart, near zero one line further."""
    import sacrebleu

    subjects, verbs = ["a man", "two dogs", "a small girl", "people", "the old woman"], ["runs", "sit", "are walking"]
    places = ["across a bridge.", "in the green grass.", "near a crowded street.", "behind the white house."]
    texts = [f"{s} {v} {p}" for s in subjects for v in verbs for p in places]
    subwords = subwords_of(book, texts)
    pieces = [subwords.split(text) for text in texts]
    joined = [subwords.join(p) for p in pieces]

    def score(said):
        return sacrebleu.corpus_bleu(said, [texts], lowercase=True, tokenize="13a").score

    assert score(joined) > 99.9
    assert score([" ".join(p) for p in pieces]) < 5
    assert score([*joined[7:], *joined[:7]]) < 50 and joined[0] != joined[7]
    assert joined == texts  # the page's check, before any model


# ---------------------------------------------------------------- the loss has a floor, or a ghost


def test_the_floor_of_smoothing(book, toy):
    """One batch, learned by heart: the plain loss goes to zero and the smoothed one to its floor, never below."""
    batch, V, epsilon = toy.pairs(4), len(toy.symbols), 0.1
    floor = book["smoothing_entropy"](epsilon, V)
    smoothed = train(book, toy.reader(), [batch] * 120, smoothing=epsilon)
    plain = train(book, toy.reader(), [batch] * 80)
    assert min(smoothed) >= floor and smoothed[-1] < floor + 0.05
    assert plain[-1] < 0.05 < floor


def test_dropout_left_on(book, toy):
    """The same question twice: two answers in training, one in evaluation."""
    torch.manual_seed(0)
    model = book["Transformer"](len(toy.symbols), len(toy.symbols), 32, 2, 64, 1, dropout=0.3)
    with torch.no_grad():
        training = [loss_of(book, model.train(), toy.pairs(8)).item() for _ in range(2)]
        evaluating = [loss_of(book, model.eval(), toy.pairs(8)).item() for _ in range(2)]
    assert training[0] != training[1] and evaluating[0] == evaluating[1]


def test_padding_in_the_loss(book, toy):
    """Counted, padding makes a batch look better the more of it there is; the words are the same."""
    model = toy.reader()
    train(book, model, [toy.pairs(32, learnable=False, seed=k) for k in range(30)])
    pairs = toy.pairs(8, learnable=False, seed=7)

    def loss(ignored, longest):
        source, mask = book["pad_batch"]([source for source, _ in pairs])
        target, _ = book["pad_batch"]([t for _, t in pairs])
        target = F.pad(target, (0, longest))
        logits = model.eval()(source, mask, target[:, :-1]).transpose(1, 2)
        logits[:, 0] = torch.where(target[:, :-1] == 0, 50.0, logits[:, 0])  # nothing is easier than padding
        return F.cross_entropy(logits, target[:, 1:], ignore_index=ignored).item()

    with torch.no_grad():
        assert loss(0, 0) == pytest.approx(loss(0, 20), rel=1e-4)
        assert loss(-100, 20) < 0.6 * loss(-100, 0)


# ---------------------------------------------------------------- the page and its rows


def sections(text):
    """{heading: its text} of a page's sections."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def complaints(text, tests, headings):
    """What is not as it says on the page. `tests` are the names of all tests, `headings` maps a chapter to the anchors
    of its sections."""
    found, rows = [], dict(re.findall(r"^\| \[(.+)\]\(#([\w-]+)\) \| .+ \|$", text, flags=re.M))
    if list(rows.values()) != [slug(heading) for heading in sections(text)]:
        found.append("the table and the sections differ")
    for heading, section in sections(text).items():
        *_, last = section.strip().split("\n\n")
        if not last.startswith("*Reproduced"):
            found.append(f"{heading}: the last paragraph does not say where it is reproduced")
            continue
        named = re.findall(r"`(test_\w+)`", last)
        links = re.findall(r"\(/notebooks/(\w+)\.ipynb#([\w-]+)\)", last)
        found += [f"{heading}: there is no test {name}" for name in named if name not in tests]
        found += [
            f"{heading}: {name} has no section {anchor}"
            for name, anchor in links
            if anchor not in headings.get(name, ())
        ]
        if not named and not links:
            found.append(f"{heading}: neither a test nor a section of a chapter is named")
    return found


@pytest.fixture(scope="module")
def known():
    tests = set()
    for path in (nb.ROOT / "tests").glob("test_*.py"):
        tests |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.M))
    headings = {
        path.stem: {
            slug(text) for cell in reading.markdown_cells(nb.read(path)) for _, text in reading.headings(cell.source)
        }
        for path in nb.notebook_paths()
    }
    return tests, headings


def test_every_row_is_reproduced(known):
    text = PAGE.read_text(encoding="utf-8")
    assert len(sections(text)) > 8
    assert complaints(text, *known) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("`test_dropout_left_on`", "`test_dropout_gone`", "there is no test test_dropout_gone"),
        ("ipynb#label-smoothing", "ipynb#label-roughening", "no section label-roughening"),
        ("*Reproduced by* `test_a_row", "See `test_a_row", "does not say where"),
        ("## NaN", "## Not a number", "the table and the sections differ"),
    ],
)
def test_a_row_that_is_not_is_seen(known, old, new, expected):
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    assert any(expected in complaint for complaint in complaints(text.replace(old, new), *known))


def test_the_pages_checks_run(book, toy):
    """Each piece of code on the page, on a model without a mistake: it runs, and nothing in it complains."""
    import sacrebleu

    model, batch = toy.reader(), toy.pairs(8)
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    loss_of(book, model, batch).backward()
    source, mask = book["pad_batch"]([source for source, _ in batch])
    ids = book["pad_batch"]([target for _, target in batch])[0][:, :-1]
    n, m = len(batch[0][0]), len(batch[0][1]) - 1
    references = ["a man runs across a bridge.", "two dogs sit in the green grass."]
    names = dict(
        torch=torch, nn=nn, math=math, model=model.eval(), optimizer=optimizer, source=source, mask=mask, ids=ids
    )
    names |= dict(alone=(source[:1, :n], mask[:1, :n], ids[:1, :m]), together=(source, mask, ids), sacrebleu=sacrebleu)
    names |= dict(smoothing_entropy=book["smoothing_entropy"], epsilon=0.1, V=len(toy.symbols), loss=1.0)
    names |= dict(readings=[["A"], ["B", "B"]], longest=2, vocabulary=toy.symbols, target=batch[0][1])
    names |= dict(references=references, subwords=subwords_of(book, references))
    printed = []
    names["print"] = lambda *values: printed.append(values[0])
    try:
        for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S):
            exec(code, names)
    finally:
        torch.autograd.set_detect_anomaly(False)
    without, not_held, length, above, share, last, score = printed
    assert without == not_held == [] and length > 0 and share == 0.5 and last == "$" and score > 99.9
    assert above == pytest.approx(1.0 - book["smoothing_entropy"](0.1, len(toy.symbols)))
