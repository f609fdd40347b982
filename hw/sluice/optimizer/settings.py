"""The run-time settings of an optimizer, and how they follow from what users know."""

import math
from collections.abc import Mapping

import numpy as np
from amaranth.lib import data

from sluice.params import parse_flags

__all__ = ["ALGORITHMS", "optimizer_layout", "optimizer_settings", "read_optimizer"]

ALGORITHMS = ("sgd", "adam", "adamw")
_FLAGS = ("maximize", "nesterov", "skip", "first")
_RANGES = {
    "lr": (0, math.inf),
    "momentum": (0, math.inf),
    "dampening": (-math.inf, 1),
    "weight_decay": (0, math.inf),
    "beta1": (0, 1),
    "beta2": (0, 1),
    "eps": (0, math.inf),
    "step": (1, math.inf),
    "scale": (-math.inf, math.inf),
    "clip_value": (0, math.inf),
}


def optimizer_layout(moments: int) -> data.StructLayout:
    """Return the layout of the settings, of an optimizer with so many moments.

    Flags first, then numbers in fp32.
    """
    flags = ["skip", "maximize", "decoupled"]
    numbers = ["scale", "clip", "decay", "rate"]
    if moments >= 1:
        flags += ["first", "nesterov"]
        numbers += ["momentum", "gain"]
    if moments >= 2:
        flags += ["adam"]
        numbers += ["gain2", "eps"]
    return data.StructLayout(dict.fromkeys(flags, 1) | dict.fromkeys(numbers, 32))


def optimizer_settings(
    moments: int,
    *,
    algorithm: str = "sgd",
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    step: float = 1,
    scale: float = 1.0,
    clip_value: float = math.inf,
    maximize: bool = False,
    nesterov: bool = False,
    first: bool | None = None,
    skip: bool = False,
) -> dict[str, int]:
    """Return the fields of :func:`optimizer_layout` for options named as in ``torch.optim``.

    Parameters
    ----------
    moments : int
        Moments that the optimizer has.
    algorithm : {"sgd", "adam", "adamw"}
    step : int, >= 1
        Which one this is: Adam's moments are corrected by it.
    scale : float
        Gradients are multiplied with it: to undo loss scaling, to take a mean, to clip by norm.
    clip_value : float
        Largest magnitude of a scaled gradient.
    first : bool
        The first moment is taken from the gradient alone; by default in the first step of SGD.
    skip : bool
        The step changes nothing.

    Raises
    ------
    ValueError
        If an option is out of its range, or the algorithm needs more moments.
    """
    numbers = {
        "lr": lr,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "beta1": beta1,
        "beta2": beta2,
        "eps": eps,
        "step": step,
        "scale": scale,
        "clip_value": clip_value,
    }
    _check(algorithm, numbers, moments=moments, nesterov=nesterov)
    adam = algorithm != "sgd"
    plain = not adam and not momentum
    fields: dict[str, float] = {"scale": scale, "clip": clip_value, "rate": lr}
    flags = {"skip": skip, "maximize": maximize}
    # Weights that do not decay are multiplied with one.
    flags["decoupled"] = algorithm == "adamw" or not weight_decay
    fields["decay"] = 1 - lr * weight_decay if flags["decoupled"] else weight_decay
    if moments >= 1:
        flags["nesterov"] = nesterov and not adam
        # Without momentum the direction is the gradient, as in a first step.
        flags["first"] = plain or (step == 1 and not adam if first is None else first)
        fields["momentum"] = momentum
        fields["gain"] = 1 - beta1 if adam else 1 - dampening
    if moments >= 2:
        flags["adam"] = adam
        fields["gain2"] = 1 - beta2
        fields["eps"] = eps
        if adam:
            # Both corrections of the bias in numbers that are the same for all parameters.
            root = math.sqrt(1 - beta2**step)
            fields["rate"] = lr * root / (1 - beta1**step)
            fields["eps"] = eps * root
    with np.errstate(over="ignore"):
        words = {k: int(np.float32(v).view(np.uint32)) for k, v in fields.items()}
    return {k: int(v) for k, v in flags.items()} | words


def read_optimizer(texts: Mapping[str, str], moments: int) -> dict[str, int]:
    """Return the settings that texts from a command line stand for.

    Raises
    ------
    ValueError
        Naming the option that is wrong, and what it may be.
    """
    flags = parse_flags({k: v for k, v in texts.items() if k in _FLAGS}, _FLAGS)
    numbers: dict[str, float] = {}
    for name, text in texts.items():
        if name in _FLAGS or name == "algorithm":
            continue
        if name not in _RANGES:
            raise ValueError(
                f"no option {name!r}: there are algorithm {' '.join((*_RANGES, *_FLAGS))}"
            )
        try:
            numbers[name] = float(text)
        except ValueError:
            raise ValueError(f"{name} must be a number, not {text!r}") from None
    algorithm = texts.get("algorithm", "sgd")
    return optimizer_settings(moments, algorithm=algorithm, **numbers, **flags)  # pyright: ignore


def _check(algorithm: str, numbers: Mapping[str, float], *, moments: int, nesterov: bool) -> None:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {' '.join(ALGORITHMS)}, not {algorithm!r}")
    for name, value in numbers.items():
        low, high = _RANGES[name]
        if not low <= value <= high:
            raise ValueError(f"{name} must be in {low}..{high}, not {value}")
    for name in ("beta1", "beta2"):
        if numbers[name] == 1:
            raise ValueError(f"{name} must be less than 1, not 1.0")
    if not float(numbers["step"]).is_integer():
        raise ValueError(f"step must be a whole number, not {numbers['step']}")
    momentum = numbers["momentum"]
    if nesterov and (not momentum or numbers["dampening"]):
        raise ValueError("nesterov must go with a momentum, and with no dampening")
    needs = 2 if algorithm != "sgd" else int(bool(momentum))
    if needs > moments:
        what = algorithm if needs == 2 else "momentum"
        raise ValueError(f"{what} needs moments={needs}, and there are {moments}")
