"""Write the golden numbers of optimizers, schedules and layers of maps.

Run by hand where PyTorch is installed:

    python tests/golden/make.py

It knows nothing of digit_exp. Settings have the names of our fields and are translated here.
"""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler as schedulers

HERE = Path(__file__).parent

torch.set_default_dtype(torch.float64)  # NAdam keeps its momentum product in the default type

START = [0.5, -1.0, 2.0, 0.3, 0.0, -0.2]
GRADIENTS = [  # columns: noise, one sign, changing signs, never any, sparse, tiny
    [0.31, 0.52, -1.40, 0.0, 0.0, 2e-06],
    [-0.74, 0.48, 1.10, 0.0, 0.0, -1e-06],
    [0.08, 0.61, -0.90, 0.0, 3.0, 4e-06],
    [1.95, 0.33, 1.30, 0.0, 0.0, 3e-06],
    [-0.02, 0.57, -0.20, 0.0, 0.0, -5e-06],
    [0.44, 0.40, 0.70, 0.0, 0.0, 1e-06],
    [-1.20, 0.36, -0.60, 0.0, -2.0, 2e-06],
    [0.66, 0.29, 0.50, 0.0, 0.0, -3e-06],
    [0.13, 0.45, -0.40, 0.0, 0.0, 6e-06],
    [-0.57, 0.38, 0.30, 0.0, 1.0, -2e-06],
]
FACTORS = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1, 0.1, 2.0]  # of the learning rate


def betas(settings):
    return settings["beta1"], settings["beta2"]


def lion(start, settings):
    """Chen et al. 2023, algorithm 2, in plain float64 Python: PyTorch has no Lion."""
    beta1, beta2 = betas(settings)
    values, memory, path = list(start), [0.0] * len(start), []
    for grads, factor in zip(GRADIENTS, FACTORS, strict=True):
        rate = settings["lr"] * factor
        for i, g in enumerate(grads):
            direction = beta1 * memory[i] + (1 - beta1) * g
            sign = (direction > 0) - (direction < 0)
            values[i] -= rate * (sign + settings["weight_decay"] * values[i])
            memory[i] = beta2 * memory[i] + (1 - beta2) * g
        path.append(list(values))
    return path


TORCH = {
    "sgd": lambda p, s: torch.optim.SGD(p, lr=s["lr"]),
    "momentum": lambda p, s: torch.optim.SGD(p, lr=s["lr"], momentum=s["momentum"]),
    "nesterov": lambda p, s: torch.optim.SGD(
        p, lr=s["lr"], momentum=s["momentum"], nesterov=s["momentum"] > 0
    ),
    "adagrad": lambda p, s: torch.optim.Adagrad(
        p, lr=s["lr"], eps=s["eps"], initial_accumulator_value=s["initial_accumulator"]
    ),
    "rmsprop": lambda p, s: torch.optim.RMSprop(p, lr=s["lr"], alpha=s["alpha"], eps=s["eps"]),
    "adam": lambda p, s: torch.optim.Adam(p, lr=s["lr"], betas=betas(s), eps=s["eps"]),
    "adamw": lambda p, s: torch.optim.AdamW(
        p, lr=s["lr"], betas=betas(s), eps=s["eps"], weight_decay=s["weight_decay"]
    ),
    "nadam": lambda p, s: torch.optim.NAdam(
        p, lr=s["lr"], betas=betas(s), eps=s["eps"], momentum_decay=s["momentum_decay"]
    ),
}

ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08}
OTHER_ADAM = {"lr": 0.02, "beta1": 0.5, "beta2": 0.9, "eps": 0.001}

OPTIMIZERS = [
    ("sgd", {"lr": 0.1}),
    ("sgd", {"lr": 1.5}),
    ("momentum", {"lr": 0.1, "momentum": 0.9}),
    ("momentum", {"lr": 0.03, "momentum": 0.5}),
    ("nesterov", {"lr": 0.1, "momentum": 0.9}),
    ("nesterov", {"lr": 0.03, "momentum": 0.0}),
    ("adagrad", {"lr": 0.1, "eps": 1e-10, "initial_accumulator": 0.0}),
    ("adagrad", {"lr": 0.5, "eps": 0.01, "initial_accumulator": 0.1}),
    ("rmsprop", {"lr": 0.1, "alpha": 0.99, "eps": 1e-08}),
    ("rmsprop", {"lr": 0.02, "alpha": 0.5, "eps": 0.001}),
    ("adam", ADAM),
    ("adam", OTHER_ADAM),
    ("adamw", {**ADAM, "weight_decay": 0.01}),
    ("adamw", {**OTHER_ADAM, "weight_decay": 0.5}),
    ("nadam", {**ADAM, "momentum_decay": 0.004}),
    ("nadam", {**OTHER_ADAM, "momentum_decay": 2.0}),
    ("nadam", {**OTHER_ADAM, "momentum_decay": 0.0}),
    ("lion", {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}),
    ("lion", {"lr": 0.02, "beta1": 0.5, "beta2": 0.8, "weight_decay": 0.5}),
]


def optimizer_path(name, settings):
    """Return the values after each step, with the name of what computed them."""
    if name == "lion":
        return lion(START, settings), "Chen et al. 2023, algorithm 2, worked in float64"
    values = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, path = TORCH[name]([values], settings), []
    for grads, factor in zip(GRADIENTS, FACTORS, strict=True):
        optimizer.param_groups[0]["lr"] = settings["lr"] * factor
        values.grad = torch.tensor(grads, dtype=torch.float64)
        optimizer.step()
        path.append(values.tolist())
    return path, f"torch.optim.{type(optimizer).__name__}"


def warm(optimizer, warmup, then):
    """Return a linear warm-up of `warmup` scheduler steps before the schedule `then`."""
    first = schedulers.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
    return schedulers.SequentialLR(optimizer, [first, then], milestones=[warmup])


EPOCHS = 20
STEPS_PER_EPOCH = 4

BY_EPOCH = {
    "constant": lambda o, s: schedulers.ConstantLR(o, factor=1.0),
    "step": lambda o, s: schedulers.StepLR(o, s["epochs_drop"], s["drop_rate"]),
    "exponential": lambda o, s: schedulers.ExponentialLR(o, s["decay_rate"]),
    "cosine": lambda o, s: schedulers.CosineAnnealingLR(o, EPOCHS, s["min_factor"]),
    "warmup_exponential": lambda o, s: warm(
        o, s["warmup_epochs"], schedulers.ExponentialLR(o, s["decay_rate"])
    ),
}
BY_STEP = {
    "warmup_cosine": lambda o, s: warm(
        o,
        s["warmup_epochs"] * STEPS_PER_EPOCH,
        schedulers.CosineAnnealingLR(
            o, (EPOCHS - s["warmup_epochs"]) * STEPS_PER_EPOCH, s["min_factor"]
        ),
    ),
    "one_cycle": lambda o, s: schedulers.OneCycleLR(
        o, max_lr=1.0, total_steps=EPOCHS * STEPS_PER_EPOCH, cycle_momentum=False, **s
    ),
}

SCHEDULES = [
    ("constant", {}),
    ("step", {"drop_rate": 0.5, "epochs_drop": 10}),
    ("step", {"drop_rate": 0.3, "epochs_drop": 3}),
    ("exponential", {"decay_rate": 0.95}),
    ("cosine", {"min_factor": 0.0}),
    ("cosine", {"min_factor": 0.1}),
    ("warmup_exponential", {"warmup_epochs": 5, "decay_rate": 0.95}),
    ("warmup_cosine", {"warmup_epochs": 5, "min_factor": 0.0}),
    ("warmup_cosine", {"warmup_epochs": 2, "min_factor": 0.1}),
    ("one_cycle", {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 10000.0}),
    ("one_cycle", {"pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}),
    ("one_cycle", {"pct_start": 0.37, "div_factor": 4.0, "final_div_factor": 2.0}),
]

LOSSES = [1.0, 0.7, 0.7, 0.69995, 0.71, 0.6, 0.65, 0.64, 0.63, 0.62, 0.61, 0.605, 0.59, 0.59, 0.59]
PLATEAU = {
    "monitor": "val_loss",
    "drop_rate": 0.5,
    "patience": 2,
    "threshold": 0.0001,
    "cooldown": 0,
    "min_factor": 0.0,
}
PLATEAUS = [
    PLATEAU,
    {**PLATEAU, "drop_rate": 0.1, "patience": 0, "min_factor": 0.02},
    {**PLATEAU, "patience": 1, "cooldown": 2, "threshold": 0.01},
    {**PLATEAU, "monitor": "val_acc", "patience": 1},
]


def unit_rate():
    """Return an optimizer of rate 1, so that a schedule's rate is its factor."""
    return torch.optim.SGD([torch.zeros(1)], lr=1.0)


def schedule_path(name, settings):
    """Return the factor of each step of a run, with the name of what computed it."""
    optimizer, path = unit_rate(), []
    schedule = {**BY_EPOCH, **BY_STEP}[name](optimizer, settings)
    for step in range(1, EPOCHS * STEPS_PER_EPOCH + 1):
        path.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        last = step == EPOCHS * STEPS_PER_EPOCH
        if not last and (name in BY_STEP or step % STEPS_PER_EPOCH == 0):
            schedule.step()
    parts = getattr(schedule, "_schedulers", [schedule])
    return path, "torch.optim.lr_scheduler: " + ", then ".join(
        type(part).__name__ for part in parts
    )


def plateau_path(settings):
    """Return the factor after each epoch's metric, with the name of what computed it."""
    optimizer, path = unit_rate(), []
    schedule = schedulers.ReduceLROnPlateau(
        optimizer,
        mode="max" if settings["monitor"] == "val_acc" else "min",
        factor=settings["drop_rate"],
        patience=settings["patience"],
        threshold=settings["threshold"],
        cooldown=settings["cooldown"],
        min_lr=settings["min_factor"],
        eps=0.0,
    )
    for metric in metrics(settings):
        schedule.step(metric)
        path.append(optimizer.param_groups[0]["lr"])
    return path, "torch.optim.lr_scheduler: ReduceLROnPlateau, eps=0"


def metrics(settings):
    """Return the losses, or for an accuracy numbers that go the other way."""
    return [1 - loss / 2 for loss in LOSSES] if settings["monitor"] == "val_acc" else LOSSES


MAPS = {"height": 6, "width": 5, "channels": 2}
LAYERS = [
    ("conv2d", {"filters": 3, "kernel_size": 3, "stride": 1, "padding": 1}),
    ("conv2d", {"filters": 2, "kernel_size": 3, "stride": 2, "padding": 0}),
    ("conv2d", {"filters": 2, "kernel_size": 5, "stride": 1, "padding": 2}),
    ("maxpool2d", {"size": 2, "stride": 2}),
    ("maxpool2d", {"size": 3, "stride": 1}),
    ("avgpool2d", {"size": 2, "stride": 2}),
    ("avgpool2d", {"size": 3, "stride": 2}),
    ("globalavgpool2d", {}),
    ("batchnorm", {}),
]


def torch_layer(name, settings):
    """Return PyTorch's layer; their order of axes is (sample, channel, row, column)."""
    if name == "conv2d":
        size, stride, padding = (settings[k] for k in ("kernel_size", "stride", "padding"))
        return torch.nn.Conv2d(MAPS["channels"], settings["filters"], size, stride, padding)
    if name == "globalavgpool2d":
        return torch.nn.AdaptiveAvgPool2d(1)
    if name == "batchnorm":
        return torch.nn.BatchNorm2d(MAPS["channels"])
    pool = {"maxpool2d": torch.nn.MaxPool2d, "avgpool2d": torch.nn.AvgPool2d}[name]
    return pool(settings["size"], settings["stride"])


def layer_case(name, settings):
    """Return inputs, outputs and gradients with channels last, as lists of flat samples."""
    torch.manual_seed(1)
    layer = torch_layer(name, settings)
    x = torch.randn(3, MAPS["channels"], MAPS["height"], MAPS["width"], requires_grad=True)
    y = layer(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    case = {"x": flat(x), "y": flat(y), "dy": flat(dy), "dx": flat(x.grad)}
    if name == "conv2d":
        patches = layer.weight.permute(2, 3, 1, 0), layer.weight.grad.permute(2, 3, 1, 0)
        weight, gradient = (each.reshape(-1, settings["filters"]).tolist() for each in patches)
        case |= {"weight": weight, "weight_gradient": gradient}
        case |= {"bias": layer.bias.tolist(), "bias_gradient": layer.bias.grad.tolist()}
    return {"name": name, "settings": settings, **case}


def flat(maps):
    rows = maps.detach().permute(0, 2, 3, 1).reshape(len(maps), -1).tolist()
    return [[round(number, 12) for number in row] for row in rows]


def optimizer_cases():
    for name, settings in OPTIMIZERS:
        values, source = optimizer_path(name, settings)
        yield {"name": name, "source": source, "settings": settings, "values": values}


def schedule_cases():
    for name, settings in SCHEDULES:
        path, source = schedule_path(name, settings)
        yield {"name": name, "source": source, "settings": settings, "factors": path}
    for settings in PLATEAUS:
        path, source = plateau_path(settings)
        seen = {"metrics": metrics(settings), "factors": path}
        yield {"name": "plateau", "source": source, "settings": settings, **seen}


def write(name, conditions, cases):
    """Write a JSON file that has one line for each of the conditions and cases."""
    version = torch.__version__.partition("+")[0]
    conditions = {"source": f"PyTorch {version}, float64; tests/golden/make.py", **conditions}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in conditions.items()]
    rows = ",\n".join(map(json.dumps, cases))
    text = "{\n" + ",\n".join([*lines, f'"cases": [\n{rows}\n]']) + "\n}\n"
    (HERE / name).write_text(text)


if __name__ == "__main__":
    write(
        "optimizers.json",
        {"start": START, "gradients": GRADIENTS, "lr_factors": FACTORS},
        optimizer_cases(),
    )
    write(
        "schedules.json",
        {"epochs": EPOCHS, "steps_per_epoch": STEPS_PER_EPOCH},
        schedule_cases(),
    )
    write("layers.json", {"maps": MAPS}, [layer_case(*layer) for layer in LAYERS])
