"""Parity: recurrent networks, linear recurrences, and what a linear recurrence may lack, each with five seeds."""

from studies import common

ABOUT = (
    "the parity of random bits, learned at 16 steps and tried at 64, by RNN, GRU and minGRUs of one and two layers, "
    "with a network between layers and before the output, and with factors between -1 and 1, with five seeds each."
)
USES = ["MinGRU", "linear_scan", "LetterModel", "parity_stretches", "train_stream"]

LENGTH, LONG, UPDATES, EMBEDDING = 16, 64, 1000, 16
SIZES = {
    "RNN": 32,
    "GRU": 32,
    "minGRU, 1 layer": 128,
    "minGRU, 2 layers": 64,
    "minGRU, 2 layers and MLPs": 64,
    "minGRU, factors from -1 to 1": 128,
}
RATES, WIDEN = [0.001, 0.003, 0.01, 0.03], 3
RATE_SEED, SEEDS = 100, [0, 1, 2, 3, 4]


def make_layer(book, name):
    """A class with the interface of nn.GRU, as LetterModel takes it."""
    import torch
    from torch import nn

    def two(input_size, hidden_size, batch_first=True):
        return book["MinGRU"](input_size, hidden_size, num_layers=2, batch_first=batch_first)

    class WithMLPs(nn.Module):
        """Two minGRU layers, each followed by a network with a hidden layer, added to what it reads."""

        def __init__(self, input_size, hidden_size, batch_first=True):
            super().__init__()
            self.layers = nn.ModuleList(book["MinGRU"](size, hidden_size) for size in [input_size, hidden_size])
            self.mlps = nn.ModuleList(
                nn.Sequential(
                    nn.Linear(hidden_size, 2 * hidden_size), nn.ReLU(), nn.Linear(2 * hidden_size, hidden_size)
                )
                for _ in range(2)
            )

        def forward(self, x, state=None):
            for layer, mlp in zip(self.layers, self.mlps):
                x = layer(x)[0]
                x = x + mlp(x)
            return x, None

    class Signed(nn.Module):
        """A minGRU whose factor is a tanh: what is kept may also be turned over."""

        def __init__(self, input_size, hidden_size, batch_first=True):
            super().__init__()
            self.both = nn.Linear(input_size, 2 * hidden_size)

        def forward(self, x, state=None):
            f, candidate = self.both(x).chunk(2, dim=-1)
            f = torch.tanh(f)
            return book["linear_scan"](f, (1 - f.abs()) * candidate), None

    return {
        "RNN": nn.RNN,
        "GRU": nn.GRU,
        "minGRU, 1 layer": book["MinGRU"],
        "minGRU, 2 layers": two,
        "minGRU, 2 layers and MLPs": WithMLPs,
        "minGRU, factors from -1 to 1": Signed,
    }[name]


def plan(done):
    return common.with_seeds(done, SIZES, RATES, WIDEN, RATE_SEED, SEEDS, lambda result: result["bits"])


def measure(book, name, rate, seed):
    import torch

    torch.manual_seed(seed)
    model = book["LetterModel"](2, EMBEDDING, SIZES[name], layer=make_layer(book, name)).to(book["device"])
    losses = book["train_stream"](model, book["parity_stretches"](UPDATES, LENGTH, seed), LENGTH, rate, carry=False)
    ((ids, targets),) = book["parity_stretches"](1, LONG, 1000 + seed, rows=2000)
    with torch.no_grad():
        right = (model(ids.to(book["device"]))[0].argmax(-1).cpu() == targets).double().mean(0)
    return {
        "bits": round(sum(losses[-50:]) / 50, 4),
        "right": [round(float(right[t]), 3) for t in [0, 1, 3, 7, 15, 31, 63]],
        "inside": round(float(right[:LENGTH].mean()), 4),
        "beyond": round(float(right[2 * LENGTH :].mean()), 4),
        "parameters": common.parameters(model),
    }


def gather(done):
    networks = {}
    for name in SIZES:
        rate, tried = common.chosen(done, name, RATE_SEED, lambda result: result["bits"])
        runs = [done[name, rate, seed] for seed in SEEDS]
        networks[name] = {"hidden_size": SIZES[name], "parameters": runs[0]["parameters"]}
        networks[name] |= {"learning_rate": rate, "rates": tried}
        networks[name] |= {key: [run[key] for run in runs] for key in ["bits", "inside", "beyond", "right"]}
    return {
        "seeds": SEEDS,
        "rate_seed": RATE_SEED,
        "length": LENGTH,
        "long": LONG,
        "updates": UPDATES,
        "positions": [1, 2, 4, 8, 16, 32, 64],
        "networks": networks,
    }
