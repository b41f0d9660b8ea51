"""One cell of a grid: draw a training set and a start, run gradient descent, test on fresh samples.

A cell is a pure function of the setting, its place (SNR, N) and its seed: its three streams come from
SeedSequence(entropy=seed, spawn_key=(N, bits of SNR, stream)). What is drawn is what `sample_dataset` and
`init_parameters` draw, in the same order; but as w_O is fixed, only the columns W = [W_Q | W_K | W_V w_O]
matter, and the tokens that samples share are projected once. So neither data nor parameters are put together
whole.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..derived.law import token_places, train_in_law
from ..engines import attention, proof_space, records
from ..paper import DivergenceError, Setting, data, descent, model

STATUSES = CONVERGED, NOT_CONVERGED, DIVERGED, LOST = ("converged", "not converged", "diverged", "lost")
# A source of samples: (s, rng, n, fresh) -> parts of them, each (y (n',), tokens Z (T,d), index (n',M)), the
# samples being X[n,l] = Z[index[n,l]]. A training set (fresh=False) comes in one part; of fresh samples, a
# part may be overwritten by the next.
Source = Callable[[Setting, np.random.Generator, int, bool], Iterator[tuple[np.ndarray, ...]]]
CHUNK = 50  # fresh samples that are in memory at a time


class Cell(NamedTuple):
    """One place of a grid and a seed."""

    snr: float
    N: int
    seed: int


class CellResult(NamedTuple):
    """How the run of a cell ended: status, one of STATUSES; steps taken; train_loss, the last one (diverged:
    not finite).

    test_loss, error_rate: on n_test fresh samples; NaN unless converged, so that no mean takes them in
    unnoticed.
    """

    status: str
    steps: int
    train_loss: float
    test_loss: float = float("nan")
    error_rate: float = float("nan")


def streams(snr: float, N: int, seed: int) -> list[np.random.Generator]:
    """Three independent Generators of a cell: data, initialisation, test. Four words of 32 bits, so that no
    two cells share a key.
    """
    bits = int(np.float64(snr).view(np.uint64))
    words = N >> 32, N & 0xFFFFFFFF, bits >> 32, bits & 0xFFFFFFFF
    return [data.make_rng(seed, (*words, stream)) for stream in range(3)]


def draw_D1(s: Setting, rng: np.random.Generator, n: int, fresh: bool) -> Iterator[tuple[np.ndarray, ...]]:
    """The Source of D1: the draws of `sample_dataset`, as the two signals and the noise tokens."""
    labels, size = data.sample_labels(s, rng, n), min(n, CHUNK) if fresh else n
    room = np.empty((2 + size * (s.M - 1), s.d))
    room[:2] = data.signals(s)
    for start in range(0, n, size):
        y = labels[start : start + size]
        Z = room[: 2 + len(y) * (s.M - 1)]
        data.sample_noise(s, rng, len(y), out=Z[2:].reshape(len(y), s.M - 1, s.d))
        yield y, Z, token_places(y, s.M)


def draw_start(s: Setting, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """What `init_parameters` draws, as far as a run with w_O fixed sees it: W(0) (d,2d_h+1) and ||w_O||."""
    theta = data.init_parameters(s, rng)
    return descent.side_by_side(theta), float(np.linalg.norm(theta.w_O))


def run_on_draws(s: Setting, rngs: list[np.random.Generator], n_test: int, source: Source):
    """GD from real draws, w_O fixed, in the proof's coordinates: (losses, steps, converged, test), where
    test() gives z = y f (n_test,) on fresh samples.
    """
    for_data, for_start, for_test = rngs
    ((y, Z, index),) = source(s, for_data, s.N, False)
    space = proof_space.ColumnSpace(Z, *draw_start(s, for_start), index, y)
    losses, steps, converged, _ = records.descend(
        space, eta=s.eta, epsilon=s.epsilon, max_steps=s.max_steps, extra_steps=s.extra_steps
    )

    def test() -> np.ndarray:
        W, parts = space.columns(), source(s, for_test, n_test, True)
        return np.concatenate([y * attention.outputs(Z @ W, index) for y, Z, index in parts])

    return losses, steps, converged, test


def run_in_law(s: Setting, rngs: list[np.random.Generator], n_test: int):
    """The same, drawn in law."""
    run = train_in_law(s, rngs[0], progress=False)
    return (
        run.losses,
        run.steps,
        run.converged,
        lambda: np.prod(run.model.sample_outputs(n_test, rngs[2]), axis=0),
    )


def run_cell(
    snr: float,
    N: int,
    seed: int,
    *,
    base: Setting,
    engine: str,
    n_test: int,
    source: Source = draw_D1,
) -> CellResult:
    """Train the cell's draw at base.replace(snr=snr, N=N) and test it on n_test fresh samples. Importable, so
    that any process can compute it.

    engine "proof": real draws from `source`, gradient descent in the proof's coordinates. "law": D1 drawn in
    law.
    """
    s, rngs = base.replace(snr=snr, N=N), streams(snr, N, seed)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told by its loss
            losses, steps, converged, test = (
                run_in_law(s, rngs, n_test) if engine == "law" else run_on_draws(s, rngs, n_test, source)
            )
    except DivergenceError as error:
        return CellResult(DIVERGED, error.step, error.loss)
    if not converged:
        return CellResult(NOT_CONVERGED, steps, float(losses[-1]))
    z = test()
    test_loss = float(model.logistic(z).mean())
    return CellResult(CONVERGED, steps, float(losses[-1]), test_loss, float(np.mean(z <= 0)))
