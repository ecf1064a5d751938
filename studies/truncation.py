"""Truncated backpropagation on a stream of English letters at three budgets, and where the distance is needed."""

from studies import common

ABOUT = (
    "a GRU trained with its gradient cut every 1 to 32 steps, on a stream of English letters for 250, 1,000 and 4,000 "
    "updates and on a stream in which a letter has to be recalled 10 or 20 steps later, with three seeds."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "LetterModel",
    "letter_stream",
    "recall_stretches",
    "train_stream",
]

WINDOW, ROWS = 32, 64
BUDGETS = {250: [1, 2, 4, 8, 32], 1000: [1, 2, 4, 8, 32], 4000: [1, 4, 32]}  # updates, and the reaches tried
RATES, RATE_SEED, SEEDS = [0.004, 0.008, 0.016, 0.032], 100, [0, 1, 2]
DISTANCES, RECALL_REACHES, RECALL_UPDATES, RECALL_RATE = [10, 20], [8, 16, 64], 400, 0.01


def best_rate(done, updates):
    return common.lowest({rate: done["letters", 32, updates, rate, RATE_SEED] for rate in RATES})


def plan(done):
    jobs = [("letters", 32, updates, rate, RATE_SEED) for updates in BUDGETS for rate in RATES]
    jobs += [
        ("recall", reach, distance, RECALL_RATE, seed)
        for distance in DISTANCES
        for reach in [*RECALL_REACHES, 0]
        for seed in SEEDS
    ]
    for updates in BUDGETS:
        if all(job in done for job in jobs if job[0] == "letters" and job[2] == updates):
            rate = best_rate(done, updates)
            jobs += [("letters", reach, updates, rate, seed) for reach in BUDGETS[updates] for seed in SEEDS]
    return jobs


def measure(book, task, reach, size, rate, seed):
    import torch

    torch.manual_seed(seed)
    if task == "letters":
        return letters(book, reach, size, rate, seed)
    model = book["LetterModel"](10, 16, 64, layer=torch.nn.GRU).to(book["device"])
    if reach == 0:  # only the output layer learns
        model.embedding.requires_grad_(False)
        model.rnn.requires_grad_(False)
    stretches = book["recall_stretches"](size, RECALL_UPDATES, seed)
    losses = book["train_stream"](model, stretches, reach or 64, rate)
    fresh = book["recall_stretches"](size, 20, 1000 + seed)
    ids, targets = (torch.cat(part, dim=1).to(book["device"]) for part in zip(*fresh))
    with torch.no_grad():
        right = (model(ids)[0].argmax(-1) == targets)[targets >= 0].double().mean()
    return {"right": round(float(right), 4), "bits": round(sum(losses[-20:]) / 20, 4)}


def letters(book, reach, updates, rate, seed):
    import math

    import torch
    from torch.nn import functional

    words = {name: part["word"] for name, part in common.letter_rows(book).items()}
    vocabulary = book["Vocabulary"](letter for word in words["train"] for letter in word)
    stretches, passes = [], 0
    while len(stretches) < updates:  # each pass over the words in an order of its own
        stream = book["letter_stream"](words["train"], vocabulary, ROWS, [seed, passes])
        stretches += [
            (stream[:, t : t + WINDOW], stream[:, t + 1 : t + WINDOW + 1])
            for t in range(0, stream.shape[1] - WINDOW, WINDOW)
        ]
        passes += 1
    model = book["LetterModel"](len(vocabulary), 32, 64, layer=torch.nn.GRU).to(book["device"])
    book["train_stream"](model, stretches[:updates], reach, rate)
    dev = book["letter_stream"](words["dev"], vocabulary, ROWS, 0).to(book["device"])
    with torch.no_grad():
        nats = functional.cross_entropy(model(dev[:, :-1])[0].transpose(1, 2), dev[:, 1:])
    return round(float(nats) / math.log(2), 4)


def gather(done):
    budgets = {}
    for updates in BUDGETS:
        rate = best_rate(done, updates)
        budgets[updates] = {
            "learning_rate": rate,
            "rates": {r: done["letters", 32, updates, r, RATE_SEED] for r in RATES},
            "dev": {
                reach: [done["letters", reach, updates, rate, seed] for seed in SEEDS] for reach in BUDGETS[updates]
            },
        }
    recall = {
        distance: {
            reach or "frozen": {
                key: [done["recall", reach, distance, RECALL_RATE, seed][key] for seed in SEEDS]
                for key in ["right", "bits"]
            }
            for reach in [*RECALL_REACHES, 0]
        }
        for distance in DISTANCES
    }
    return {
        "seeds": SEEDS,
        "rate_seed": RATE_SEED,
        "window": WINDOW,
        "rows": ROWS,
        "budgets": budgets,
        "recall_updates": RECALL_UPDATES,
        "recall_learning_rate": RECALL_RATE,
        "recall": recall,
    }
