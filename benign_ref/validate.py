"""Checks of arguments: each names the argument, its value and what is allowed, before any work."""

import argparse
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Kind = TypeVar("Kind")
LARGEST_INTEGER = 2**53  # beyond it a float, in which sizes are multiplied, is no longer exact


def shown(value: Any) -> str:
    """`value` as short text for a message."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an integer of more than 4300 digits, for one
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def require(holds: Any, message: str, error: type[Exception] = ValueError) -> None:
    """`error` with the message unless `holds`; the message is put together either way."""
    if not holds:
        raise error(message)


def _of_type(name: str, value: Any, kinds: tuple[type, ...], allowed: str) -> None:
    """TypeError unless `value` is of one of these types; a bool is no number."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{name} must be {allowed}, got {shown(value)} of type {type(value).__name__}")


def names(caller: str, values: Iterable[str], kind: type[Any]) -> None:
    """TypeError unless every name in `values` is an argument of the dataclass `kind`: it says the nearest."""
    known = {f.name.lower(): f.name for f in fields(kind) if f.init}
    for name in sorted(set(values) - set(known.values())):
        other = getattr(kind, name, None)
        follows = f", which follows from the others: {other.__doc__}" if isinstance(other, property) else ""
        (nearest,) = get_close_matches(name.lower(), known, 1, 0)
        raise TypeError(
            f"{caller}() got the unknown name {name!r}{follows}; the nearest is {known[nearest]!r}, "
            f"allowed are {', '.join(known.values())}"
        )


def integer(name: str, value: Any, at_least: int) -> int:
    """`value` as an int >= at_least. TypeError if it is no integer (bool included), ValueError if out of
    range.
    """
    _of_type(name, value, (int, np.integer), f"an integer >= {at_least}")
    in_range = at_least <= value <= LARGEST_INTEGER
    require(in_range, f"{name} must be an integer from {at_least} to 2**53, got {shown(value)}")
    return int(value)


def real(name: str, value: Any, positive: bool = True) -> float:
    """`value` as a finite float, > 0 or (positive=False) >= 0. TypeError if it is no real number, ValueError
    if out of range.
    """
    allowed = f"a finite number {'>' if positive else '>='} 0"
    _of_type(name, value, (int, float, np.integer, np.floating), allowed)
    try:
        value = float(value)
    except OverflowError:
        value = np.inf
    in_range = np.isfinite(value) and (value > 0 if positive else value >= 0)
    require(in_range, f"{name} must be {allowed}, got {value!r}")
    return value


def steps(name: str, value: Any) -> int | list[int]:
    """`value`: an integer k >= 1, as it is, or a list of integers >= 0, sorted and each once. TypeError or
    ValueError otherwise.
    """
    if not isinstance(value, (list, tuple, range, np.ndarray)) or getattr(value, "ndim", 1) == 0:
        return integer(name, value, 1)
    return sorted({integer(name, step, 0) for step in value})


def boolean(name: str, value: Any) -> bool:
    """`value` as a bool. TypeError if it is none."""
    _of_type(name, value, (bool, np.bool_), "True or False")
    return bool(value)


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """`value`, one of the strings in `allowed`. ValueError otherwise."""
    known = isinstance(value, str) and value in allowed
    require(known, f"{name} must be one of {', '.join(map(repr, allowed))}, got {shown(value)}")
    return value


def generator(name: str, value: Any) -> np.random.Generator:
    """`value`, a numpy.random.Generator. TypeError otherwise."""
    _of_type(name, value, (np.random.Generator,), "a numpy.random.Generator (see make_rng)")
    return value


def instance(name: str, value: Any, kind: type[Kind]) -> Kind:
    """`value`, an instance of `kind`. TypeError otherwise."""
    parts = getattr(kind, "_fields", ())
    made = f"({', '.join(parts)})" if parts else ""
    _of_type(name, value, (kind,), f"a {kind.__name__}{made}")
    return value


def _give_instead(value: Any) -> str:
    """What to give instead of a Dataset, a Run or Parameters, at the end of a message; else ""."""
    parts = [part for part in ("X", "parameters", "W_Q") if hasattr(value, part)]
    what = {"X": "its X or its y", "parameters": "its parameters", "W_Q": "one of its arrays"}
    return f" (a {type(value).__name__}: give {what[parts[0]]})" if parts else ""


def array(name: str, value: Any, shape: str, sizes: dict[str, int]) -> np.ndarray:
    """`value` as a finite C-contiguous float64 array.

    shape: a string of dimension names such as "N,M,d"; sizes: dict of the names already fixed, to which the
    new ones are added. TypeError for a non-numeric or complex dtype; ValueError for a wrong shape, an empty
    axis, NaN or infinity.
    """
    if np.ma.is_masked(value) or _give_instead(value):
        got = _give_instead(value) or "one with masked entries"
        raise TypeError(f"{name} must be an array of real numbers of shape ({shape}), got {got.strip(' ()')}")
    try:
        a = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} must be an array of shape ({shape}), got a ragged {type(value).__name__}"
        ) from None
    if a.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be an array of real numbers of shape ({shape}), got dtype {a.dtype}")
    axes = shape.split(",")
    known = ", ".join(f"{k}={sizes[k]}" for k in axes if k in sizes)
    wanted = f"shape ({shape})" + (f" with {known}" if known else "")
    if a.ndim != len(axes) or any(sizes.get(k, n) != n for k, n in zip(axes, a.shape)):
        turned = a.ndim == 2 and all(sizes.get(k, n) == n for k, n in zip(axes, a.shape[::-1]))
        hint = "; its transpose would fit" if turned else ""
        raise ValueError(f"{name} must have {wanted}, got shape {a.shape}{hint}")
    require(0 not in a.shape, f"{name} must have no empty axis, got shape {a.shape}")
    a = np.ascontiguousarray(a, dtype=np.float64)
    # a sum of squares is the quicker look, and enough unless it overflows
    if not (np.isfinite(np.vdot(a, a)) or np.isfinite(a).all()):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        raise ValueError(f"{name} must be finite, got {a[where]} at index {where}")
    sizes.update(zip(axes, a.shape))
    return a


def parameters(theta: Any, sizes: dict[str, int]) -> list[np.ndarray]:
    """The four arrays of Parameters (or any 4 arrays in that order), each checked against the others by
    `array`.
    """
    instead = "" if hasattr(theta, "W_Q") else _give_instead(theta)
    if not isinstance(theta, (tuple, list)) or len(theta) != 4 or instead:
        raise TypeError(
            f"theta must be Parameters(W_Q, W_K, W_V, w_O), got {shown(theta)} of type "
            f"{type(theta).__name__}{instead}"
        )
    firsts = [len(W) for W in theta[:3] if getattr(W, "ndim", 0) == 2]
    for d in firsts:  # two of three agree on d: the third is the one to name
        if firsts.count(d) == 2:
            sizes.setdefault("d", d)
    shapes = (("W_Q", "d,d_h"), ("W_K", "d,d_h"), ("W_V", "d,d_v"), ("w_O", "d_v"))
    return [array(f"theta.{name}", value, shape, sizes) for (name, shape), value in zip(shapes, theta)]


def labels(name: str, value: Any, sizes: dict[str, int]) -> np.ndarray:
    """Labels as float64 of shape (N,), each -1 or +1. ValueError otherwise."""
    y = array(name, value, "N", sizes)
    wrong = np.flatnonzero(np.abs(y) != 1)
    if len(wrong):
        raise ValueError(f"{name} must hold labels -1 or +1 only, got {y[wrong[0]]:g} at index {wrong[0]}")
    return y


def fits_memory(name: str, size: Any, count: float) -> None:
    """ValueError unless `count` float64 numbers fit into this machine's memory; `name` = `size` are to
    blame.
    """
    needed = 8.0 * count
    try:
        available = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        available = 2.0**44  # not told on this system: refuse only what no machine holds
    require(
        needed <= available,
        f"{name}={shown(size)} needs {needed / 2**30:.3g} GiB, this machine has {available / 2**30:.3g} GiB",
    )


def path(name: str, value: Any) -> Path:
    """`value`, a path given as str or Path, as a Path. TypeError or ValueError otherwise."""
    _of_type(name, value, (str, Path), "a path (str or Path)")
    sound = str(value).strip() and "\0" not in str(value)
    require(sound, f"{name} must be a path, not empty and without zero bytes, got {str(value)!r}")
    return Path(value)


def integer_argument(at_least: int) -> Callable[[str], int]:
    """For argparse: a type for integers from at_least to 2**53 (a seed: 0)."""

    def parsed(text: str) -> int:
        try:
            return integer("", int(text), at_least)
        except ValueError:
            allowed = f"an integer from {at_least} to 2**53"
            raise argparse.ArgumentTypeError(f"must be {allowed}, got {shown(text)}") from None

    return parsed


def folder_argument(text: str) -> Path:
    """For argparse: the Path of a folder, there already or to be made."""
    return _path(
        text, "a folder", lambda path: ", which is a file" if path.exists() and not path.is_dir() else ""
    )


def file_argument(text: str) -> Path:
    """For argparse: the Path of a file to be written, in a folder that is there."""
    lost = lambda path: "" if path.absolute().parent.is_dir() else ", whose folder is not there"  # noqa: E731
    return _path(text, "a file", lambda path: ", which is a folder" if path.is_dir() else lost(path))


def _path(text: str, kind: str, wrong: Callable[[Path], str]) -> Path:
    """The Path `text`; ArgumentTypeError if it is empty, or for what wrong(path) says."""
    complaint = wrong(Path(text)) if text.strip() and "\0" not in text else " "
    if complaint:
        raise argparse.ArgumentTypeError(f"must be {kind}, got {text!r}{complaint.rstrip()}")
    return Path(text)
