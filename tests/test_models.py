"""What holds for every nn.Module that the book defines, whatever it computes.

It follows its input's device: no tensor is made on the CPU inside. It follows its parameters' precision: in 64 bits
everything that comes out has 64. And once it has been used it can still be copied.
"""

import copy

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tools import notebooks as nb

B, S, T, D, H, V = 2, 5, 4, 8, 2, 9  # words, letters, phonemes, width, heads, symbols


class Inputs:
    """Inputs of one precision on one device, the same whenever they are asked for."""

    def __init__(self, dtype=torch.float32, device="cpu"):
        self.dtype, self.device = dtype, device
        self.generator = torch.Generator().manual_seed(0)

    def floats(self, *shape):
        return torch.randn(shape, generator=self.generator).to(self.device, self.dtype)

    def ids(self, *shape):
        return torch.randint(3, V, shape, generator=self.generator).to(self.device)

    def mask(self):
        """(B, S): the second word has padding."""
        return (torch.arange(S) < torch.tensor([S, S - 2])[:, None]).to(self.device)

    def causal(self, length):
        return torch.ones(1, length, length, dtype=torch.bool).tril().to(self.device)

    def source(self):
        """Padded ids (B, S) and their mask."""
        mask = self.mask()
        return self.ids(B, S) * mask, mask


# ---------------------------------------------------------------- one case, or several, for each module


def recurrent(name, *sizes):
    return name, lambda book: book[name](3, D, *sizes), with_state


def with_state(model, i):
    x = i.floats(B, T, 3)
    _, last = model(x)
    return model(x), model(x, last)


def language_model(layer):
    def build(book):
        return book["LetterModel"](V, 3, D, layer if isinstance(layer, type) else book[layer])

    def call(model, i):
        ids = i.ids(B, T)
        logits, states, last = model(ids)
        return logits, states, model(ids, last)[0]

    return "LetterModel", build, call


def read(model, i):
    """As chapter 7's readers are used: all phonemes at once, and one after another."""
    source, mask = i.source()
    ids = i.ids(B, T)
    logits, state = model(source, mask, ids), model.start(source, mask)
    steps = []
    for t in range(T):
        step, state = model.advance(ids[:, t : t + 1], state)
        steps.append(step)
    return logits, steps


def look(model, i):
    """As a chapter-8 attention is used: with padding, and with a mask of None."""
    query, memory = i.floats(B, T, D), i.floats(B, S, D)
    return model(query, memory, i.mask()), model(query, memory, None)


def look_at_itself(model, i):
    x = i.floats(B, S, D)
    return model(x, x, None), model(x, x, i.mask()[:, None]), model(x, x, i.causal(S))


def look_around(model, i):
    x, memory, padding = i.floats(B, T, D), i.floats(B, S, D), i.mask()[:, None]
    return model(x, memory, padding), look_at_itself(model, i)


def attention(name, *sizes):
    return name, lambda book: book[name](*sizes), look


def reader(name, *sizes):
    return "AttentionReader", lambda book: book["AttentionReader"](V, V, 3, D, book[name](*sizes), dropout=0.1), read


def window(fixed):
    def call(model, i):
        query, memory = i.floats(B, T, D), i.floats(B, S, D)
        return model(query, memory, i.mask(), i.floats(B)), model(query, memory, None, i.floats(B))

    return "WindowAttention", lambda book: book["WindowAttention"](D, fixed), call


def window_reader(fixed):
    def build(book):
        return book["WindowReader"](V, V, 3, D, book["WindowAttention"](D, fixed), dropout=0.1)

    return "WindowReader", build, read


def tag(kind):
    return (
        "LetterTagger",
        lambda book: book["LetterTagger"](V, V, D, H, 2, kind),
        lambda model, i: model(*i.source()),
    )


def each_vector(name, *sizes):
    return name, lambda book: book[name](*sizes), lambda model, i: model(i.floats(B, T, D))


def residual(pre_norm):
    def call(model, i):
        return model(i.floats(B, T, D), torch.tanh)

    return "Residual", lambda book: book["Residual"](D, 0.1, pre_norm), call


def embedding(positions):
    return (
        "PositionalEmbedding",
        lambda book: book["PositionalEmbedding"](V, D, 0.1, positions),
        lambda model, i: model(i.ids(B, T)),
    )


def encoder_layer(pre_norm):
    return (
        "EncoderLayer",
        lambda book: book["EncoderLayer"](D, H, 12, 0.1, pre_norm),
        lambda model, i: model(i.floats(B, S, D), i.mask()[:, None]),
    )


def decoder_layer(pre_norm):
    return (
        "DecoderLayer",
        lambda book: book["DecoderLayer"](D, H, 12, 0.1, pre_norm),
        lambda model, i: model(i.floats(B, T, D), i.causal(T), i.floats(B, S, D), i.mask()[:, None]),
    )


def transformer(**changes):
    return "Transformer", lambda book: book["Transformer"](V, V, D, H, 12, 2, dropout=0.1, **changes), read


def grouped(name, n_groups, rotary, *more):
    """A layer of chapter 14 and `more` arguments of its, in the book's names where they are strings."""

    def build(book):
        return book[name](D, 4, n_groups, *(book.get(x, x) if isinstance(x, str) else x for x in more))

    def call(model, i):
        d = D // 4
        rotations = torch.cat([i.floats(T, d).sin(), i.floats(T, d).cos()], dim=-1)[:, ::2] if rotary else None
        past = i.floats(B, 2, n_groups, 3, d)
        mask = torch.ones(B, T, 3 + T, dtype=torch.bool).tril(3).to(i.device)
        return model(i.floats(B, T, D), mask, rotations, past)

    return name, build, call


def gpt(**changes):
    def call(model, i):
        ids = i.ids(B, T)
        logits, vectors, state = model(ids)
        return logits, vectors, model(ids, state)[0]

    return "GPT", lambda book: book["GPT"](V, D, 4, 12, 2, dropout=0.1, **changes), call


CASES = {
    "RNN": recurrent("RNN"),
    "LetterModel, nn.RNN": language_model(nn.RNN),
    "LetterModel, nn.LSTM": language_model(nn.LSTM),
    "LetterModel, MinGRU": language_model("MinGRU"),
    "AddingModel": (
        "AddingModel",
        lambda book: book["AddingModel"](nn.GRU(2, D, batch_first=True)),
        lambda model, i: model(i.floats(B, T, 2)),
    ),
    "LSTM": recurrent("LSTM"),
    "GRU": recurrent("GRU"),
    "MinGRU": recurrent("MinGRU", 2),
    "Encoder": ("Encoder", lambda book: book["Encoder"](V, 3, D), lambda model, i: model(*i.source())),
    "Encoder, one direction": (
        "Encoder",
        lambda book: book["Encoder"](V, 3, D, bidirectional=False, dropout=0.1),
        lambda model, i: model(*i.source()),
    ),
    "EncoderDecoder": (
        "EncoderDecoder",
        lambda book: book["EncoderDecoder"](V, V, 3, D, 6, dropout=0.1),
        read,
    ),
    "AdditiveAttention": attention("AdditiveAttention", D, D, 6),
    "UniformAttention": attention("UniformAttention"),
    "DotAttention": attention("DotAttention"),
    "DotAttention, not divided": attention("DotAttention", 1.0),
    "ProjectedAttention": attention("ProjectedAttention", D, D, 6),
    "ProjectedAttention, tied": attention("ProjectedAttention", D, D, 6, True),
    "AttentionReader, additive": reader("AdditiveAttention", D, D, 6),
    "AttentionReader, uniform": reader("UniformAttention"),
    "AttentionReader, dot": reader("DotAttention"),
    "AttentionReader, dot, not divided": reader("DotAttention", 1.0),
    "AttentionReader, projected": reader("ProjectedAttention", D, D, 6),
    "WindowAttention": window(False),
    "WindowAttention, fixed": window(True),
    "WindowReader": window_reader(False),
    "WindowReader, fixed": window_reader(True),
    "MultiHeadAttention": ("MultiHeadAttention", lambda book: book["MultiHeadAttention"](D, H), look_around),
    "RotaryAttention": ("RotaryAttention", lambda book: book["RotaryAttention"](D, H), look_at_itself),
    "LetterTagger, none": tag("none"),
    "LetterTagger, sinusoidal": tag("sinusoidal"),
    "LetterTagger, learned": tag("learned"),
    "LetterTagger, rotary": tag("rotary"),
    "PositionalEmbedding": embedding(True),
    "PositionalEmbedding, no positions": embedding(False),
    "LayerNorm": each_vector("LayerNorm", D),
    "Residual": residual(True),
    "Residual, post-norm": residual(False),
    "FeedForward": each_vector("FeedForward", D, 12),
    "EncoderLayer": encoder_layer(True),
    "EncoderLayer, post-norm": encoder_layer(False),
    "DecoderLayer": decoder_layer(True),
    "DecoderLayer, post-norm": decoder_layer(False),
    "Transformer": transformer(),
    "Transformer, post-norm": transformer(pre_norm=False),
    "Transformer, no positions": transformer(positions=False),
    "RMSNorm": each_vector("RMSNorm", D),
    "SwiGLU": each_vector("SwiGLU", D, 12),
    "GroupedQueryAttention": grouped("GroupedQueryAttention", 2, True),
    "GroupedQueryAttention, no rotations": grouped("GroupedQueryAttention", 4, False),
    "GPTLayer": grouped("GPTLayer", 2, True, 12, 0.1, "RMSNorm", "SwiGLU"),
    "GPTLayer, the older parts": grouped("GPTLayer", 4, False, 12, 0.1, "LayerNorm", "FeedForward"),
    "GPT": gpt(),
    "GPT, groups": gpt(n_groups=2),
    "GPT, no rotations": gpt(rotary=False),
    "GPTReader": (
        "GPTReader",
        lambda book: book["GPTReader"](book["GPT"](V, D, 4, 12, 2, dropout=0.1)),
        read,
    ),
}

# A device without numbers cannot run what asks how long a word is, or whether a row of a mask is all padding.
ASKS_FOR_NUMBERS = {
    "Encoder",
    "EncoderDecoder",
    "AdditiveAttention",
    "UniformAttention",
    "DotAttention",
    "ProjectedAttention",
    "AttentionReader",
    "WindowAttention",
    "WindowReader",
}


def model_of(book, case, dtype=torch.float32):
    name, build, call = CASES[case]
    torch.manual_seed(0)
    return build(book).to(dtype), call


def tensors(found):
    """All tensors in lists, tuples and dictionaries."""
    if isinstance(found, torch.Tensor):
        return [found]
    if isinstance(found, dict):
        found = found.values()
    return [x for part in found for x in tensors(part)] if isinstance(found, (list, tuple, type({}.values()))) else []


def reals(found):
    """All tensors of floating-point numbers, of which there has to be one."""
    result = [x for x in tensors(found) if x.is_floating_point()]
    assert result
    return result


# ---------------------------------------------------------------- every module has a case


def modules(book):
    return {n for n in nb.definitions() if isinstance(book[n], type) and issubclass(book[n], nn.Module)}


def test_every_module_of_the_book_has_a_case(book):
    covered = {name for name, _, _ in CASES.values()}
    assert sorted(modules(book) - covered) == [], "add a case to CASES"
    assert sorted(covered - modules(book)) == []
    assert ASKS_FOR_NUMBERS <= covered


@pytest.mark.parametrize("case", CASES)
def test_the_case_builds_what_it_says(book, case):
    assert type(model_of(book, case)[0]) is book[CASES[case][0]]


# ---------------------------------------------------------------- device


class NoDeviceNoTensor(TorchFunctionMode):
    """Refuses a function that makes a tensor and is not told where."""

    MAKE = (
        "arange as_tensor empty eye full linspace logspace ones rand randint randn randperm range scalar_tensor tensor "
        "tril_indices triu_indices zeros"
    ).split()
    MAKERS = {getattr(torch, name) for name in MAKE}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.MAKERS and (kwargs or {}).get("device") is None:
            raise AssertionError(f"torch.{function.__name__} makes a tensor and is told no device")
        return function(*args, **(kwargs or {}))


def makes_a_tensor(x):
    return x + torch.zeros(len(x), 1)


def test_a_tensor_without_a_device_is_seen():
    x = torch.ones(2, 1)
    for make in (makes_a_tensor, lambda x: torch.arange(2, device=None), lambda x: x * torch.tensor([1.0, 2.0])):
        with pytest.raises(AssertionError, match="told no device"), NoDeviceNoTensor():
            make(x)
    with NoDeviceNoTensor():
        assert (x + torch.zeros(2, 1, device=x.device) + x.new_zeros(2, 1)).sum() == 2


@pytest.mark.parametrize("case", CASES)
def test_no_tensor_is_made_without_a_device(book, case):
    """The mode is on inside the modules only: the inputs may come from where they like."""
    model, call = model_of(book, case)

    def inside(method):
        def run(*args, **kwargs):
            with NoDeviceNoTensor():
                return method(*args, **kwargs)

        return run

    for name in ("forward", "start", "advance", "prompt"):
        if hasattr(model, name):
            setattr(model, name, inside(getattr(model, name)))
    reals(call(model, Inputs()))


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][0] not in ASKS_FOR_NUMBERS])
def test_it_runs_on_a_device_without_numbers(book, case):
    model, call = model_of(book, case)
    found = call(model.to("meta"), Inputs(device="meta"))
    assert {x.device.type for x in tensors(found)} == {"meta"}


# ---------------------------------------------------------------- precision


@pytest.mark.parametrize("case", CASES)
def test_in_64_bits_all_that_comes_out_has_64(book, case):
    model, call = model_of(book, case)
    expected = reals(call(model.eval(), Inputs()))
    model = model.double()
    assert {x.dtype for x in [*model.parameters(), *model.buffers()] if x.is_floating_point()} <= {torch.float64}
    found = reals(call(model, Inputs(torch.float64)))
    assert {x.dtype for x in found} == {torch.float64}
    for mine, other in zip(found, expected):
        torch.testing.assert_close(mine.float(), other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_in_bfloat16_all_that_comes_out_is_bfloat16(book, case):
    model, call = model_of(book, case)
    expected = reals(call(model.eval(), Inputs()))
    try:
        found = reals(call(model.bfloat16(), Inputs(torch.bfloat16)))
    except (RuntimeError, NotImplementedError) as error:
        if "not implemented for 'BFloat16'" in str(error):
            pytest.skip(str(error))
        raise
    assert {x.dtype for x in found} == {torch.bfloat16}
    for mine, other in zip(found, expected):
        torch.testing.assert_close(mine.float(), other, rtol=0.2, atol=0.2)


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize("case", CASES)
def test_after_a_step_it_can_be_copied(book, case):
    """What it keeps of its last call, such as attention weights, must not hold on to the graph."""
    model, call = model_of(book, case)
    outputs = [x for x in reals(call(model.train(), Inputs())) if x.requires_grad]
    if outputs:
        sum(x.sum() for x in outputs).backward()
    assert bool(outputs) == bool(list(model.parameters()))
    twin = copy.deepcopy(model)
    before = reals(call(model.eval(), Inputs()))
    for mine, other in zip(reals(call(twin.eval(), Inputs())), before):
        assert torch.equal(mine, other)
    with torch.no_grad():
        for p in twin.parameters():
            p.add_(1.0)
    for mine, other in zip(reals(call(model, Inputs())), before):
        assert torch.equal(mine, other)  # the copy shares nothing
