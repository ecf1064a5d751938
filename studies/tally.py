"""The sum since the last mark: LSTMs with a gate held open, GRUs with a gate taken out, of about equal size."""

from studies import common

ABOUT = (
    "the tally, a sum that starts anew at every mark, learned at 40 steps and tried at 40 and 400 by an RNN, by LSTMs "
    "with one gate held open and by GRUs with one gate taken out, of about equal size, with three seeds each."
)
USES = ["tally_batch", "stuck_lstm", "AddingModel", "train_adding"]

LENGTH, LONG, STEPS, BATCH = 40, 400, 3000, 32
SIZES = {
    "RNN": 64,
    "LSTM": 31,
    "LSTM, input gate open": 36,
    "LSTM, forget gate open": 36,
    "LSTM, output gate open": 36,
    "GRU": 36,
    "GRU, no reset gate": 44,
    "GRU, no update gate": 44,
}
RATES, WIDEN = [0.002, 0.004, 0.008, 0.016], 2
RATE_SEED, SEEDS = 100, [0, 1, 2]


def make_layer(book, name):
    """A recurrent layer of two inputs; a gate that is taken out is held by its bias, its weights not counted."""
    import torch
    from torch import nn

    size = SIZES[name]
    if name == "RNN":
        return nn.RNN(2, size, batch_first=True)
    if name.startswith("LSTM"):
        stuck = {"input": "i", "forget": "f", "output": "o"}.get(name.partition(", ")[2].partition(" ")[0], "")
        return book["stuck_lstm"](stuck, size)
    layer = nn.GRU(2, size, batch_first=True)
    block, bias = {"GRU, no reset gate": (0, 40.0), "GRU, no update gate": (1, -40.0)}.get(name, (0, None))
    if bias is not None:
        with torch.no_grad():
            for kind, parameter in layer.named_parameters():
                parameter[block * size : (block + 1) * size] = bias if kind.startswith("bias_ih") else 0.0
    return layer


def learned(name):
    """The parameters of the model that learn: a gate that is held has none."""
    size = SIZES[name]
    blocks = {"RNN": 1, "LSTM": 4, "GRU": 3}[name.partition(",")[0]] - ("," in name)
    return blocks * (size * size + 2 * size + 2 * size) + size + 1


def plan(done):
    return common.with_seeds(done, SIZES, RATES, WIDEN, RATE_SEED, SEEDS, lambda result: result["error"])


def measure(book, name, rate, seed):
    import numpy as np
    import torch

    torch.manual_seed(seed)
    model = book["AddingModel"](make_layer(book, name)).to(book["device"])
    book["train_adding"](model, LENGTH, STEPS, rate, seed, BATCH, STEPS, book["tally_batch"], solved=0.0)
    found = {}
    for key, length in [("error", LENGTH), ("error_long", LONG)]:
        x, y = book["tally_batch"](2000, length, np.random.default_rng([9, length]))
        with torch.no_grad():
            answer = model(x.to(book["device"])).cpu()
        found[key] = round(float(((answer - y) ** 2).mean()), 5)
        found[key.replace("error", "variance")] = round(float(y.var()), 4)
    return found


def gather(done):
    networks = {}
    for name in SIZES:
        rate, tried = common.chosen(done, name, RATE_SEED, lambda result: result["error"])
        runs = [done[name, rate, seed] for seed in SEEDS]
        networks[name] = {
            "hidden_size": SIZES[name],
            "parameters": learned(name),
            "learning_rate": rate,
            "rates": tried,
        }
        networks[name] |= {key: [run[key] for run in runs] for key in ["error", "error_long"]}
    first = done[next(iter(done))]
    return {
        "seeds": SEEDS,
        "rate_seed": RATE_SEED,
        "length": LENGTH,
        "long": LONG,
        "steps": STEPS,
        "batch_size": BATCH,
        "variance": first["variance"],
        "variance_long": first["variance_long"],
        "networks": networks,
    }
