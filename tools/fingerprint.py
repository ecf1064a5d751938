"""What a cell's names hold, as numbers that two runs can compare.  Sent into a kernel by `make run ELSEWHERE=1`.

Training is what makes rounding grow: what was computed without it agrees between two kinds of arithmetic to a millionth
or better, what depends on a training does not. So a cell is downstream of a training if it reads a name whose contents
moved by more than CLOSE.
"""

import hashlib
import json
import math

CLOSE, FEW, MOST = 1e-5, 400, 20_000  # a relative distance; how many items of a list are looked into; letters a name


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def array(values):
    """Norm, largest and mean size of an array of floats, its shape before them; others by their bytes."""
    import numpy as np

    values = np.asarray(values)
    if values.dtype.kind in "fc":
        sizes = np.abs(values.astype(complex if values.dtype.kind == "c" else float))
        sizes = sizes[np.isfinite(sizes)]
        if sizes.size == 0:
            return [list(values.shape)]
        return [list(values.shape), float((sizes**2).sum() ** 0.5), float(sizes.max()), float(sizes.mean())]
    if values.dtype.kind in "iubUS":
        return [list(values.shape), hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:12]]
    return [list(values.shape)]


def contents(value, depth=0):
    """A nested list of numbers and short texts that says what `value` holds; [] for what cannot be compared."""
    import numpy as np
    import torch

    if value is None or isinstance(value, (bool, int, str, bytes)):
        return digest(value) if isinstance(value, (str, bytes)) and len(value) > 12 else repr(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return array(value.double().numpy() if value.is_floating_point() else value.numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        return array(value)
    if isinstance(value, torch.nn.Module):
        return [[name, contents(tensor)] for name, tensor in value.state_dict().items()]
    if depth > 6 or callable(value) or isinstance(value, type):
        return []
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: repr(item[0]))[:FEW]
        return [[repr(key)[:40], contents(item, depth + 1)] for key, item in items]
    if isinstance(value, (set, frozenset)):
        return digest(sorted(map(repr, value)))
    if isinstance(value, (list, tuple)):
        step = max(1, len(value) // FEW)
        return [len(value), *(contents(item, depth + 1) for item in value[::step])]
    if type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        return [[name, contents(item, depth + 1)] for name, item in sorted(vars(value).items())]
    return []


def report(names, namespace, path):
    """Write what the names hold to a file, as JSON, for the process that started the kernel."""
    found = {}
    for name in names:
        if name in namespace:
            try:
                held = contents(namespace[name])
                found[name] = held if len(json.dumps(held)) < MOST else digested(held)
            except Exception as error:  # a value that cannot be looked into does not stop a run
                found[name] = f"{type(error).__name__}"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)


def digested(held):
    """A long nested list as three numbers of all its floats, beside a hash of the rest."""
    floats, rest = [], []

    def visit(node):
        if isinstance(node, list):
            rest.append(len(node))
            for item in node:
                visit(item)
        else:
            (floats if isinstance(node, float) else rest).append(node)

    visit(held)
    return [digest(rest), *array(floats)]


def moved(a, b):
    """Whether two contents differ by more than rounding."""
    if isinstance(a, float) and isinstance(b, float):
        return not math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-9)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) != len(b) or any(moved(x, y) for x, y in zip(a, b))
    return a != b
