"""S1-S3: what a Setting derives, the Condition, and the published experiments, each written out once more."""

from math import ceil, sqrt

import numpy as np

from ..core import Row, apart, relative_residual, within
from ..problems import GENERIC, MIXED

EXACT = 1e-13
ONCE = (GENERIC,), (MIXED,)  # these rows draw their own
F1, F3 = 1 / 512 / sqrt(3), 1 / sqrt(2048) / 64 / sqrt(3)  # uniform on +-1/512, on +-1/sqrt(2048)/64
ROOT = 1 / sqrt(3)  # of w_O: d_v entries, uniform on +-1/sqrt(d_v)
PUBLISHED = {  # figure: (N, ||mu||) asked for, and what the authors' files hold
    "figure1": ((10, 20.0), dict(N=10, mu_norm=20, M=16, d=1024, d_h=512, d_v=512, sigma_p=0.2, C_p=20,
                eta=0.1, epsilon=0.01, max_steps=1000, extra_steps=1, sigma_h=F1, sigma_V=F1, w_O_norm=ROOT)),
    "figure3": ((), dict(N=16, mu_norm=25, M=4, d=2048, d_h=1024, d_v=256, sigma_p=0.05, C_p=20, eta=0.01,
                max_steps=500, extra_steps=0, sigma_h=F3, sigma_V=F3, w_O_norm=ROOT)),
    "figure4": ((), dict(N=10, mu_norm=15, M=4, d=2048, d_h=1024, d_v=256, sigma_p=0.05, C_p=20, eta=0.02,
                max_steps=500, extra_steps=0, sigma_h=F3, sigma_V=F3, w_O_norm=ROOT)),
}  # fmt: skip


def _drawn(audited, problem, k, **given):
    """A Setting of random sizes and scales, its SNR on either side of C_p."""
    rng = problem.rng(60, k)
    ends = {"N": (1, 40), "M": (2, 20), "d": (3, 2000), "d_h": (1, 99), "d_v": (1, 99)}
    drawn = {name: int(rng.integers(*pair)) for name, pair in ends.items()}
    drawn |= {"snr": float(rng.uniform(0.2, 60)), "w_O_norm": float(rng.uniform(0.3, 3))}
    return audited.setting.Setting(**{"epsilon": 0.02, **drawn, **given})


def _S1(audited, problem):
    """Every default, derived and derived afresh, against its formula; what is given by hand stays."""
    for k in range(4):
        first = _drawn(audited, problem, k, **({"sigma_p": 0.3} if k % 2 else {}))
        for s in (first, first.replace(N=first.N + 3, M=first.M + 1, snr=2 * first.snr)):
            sigma_p = 0.3 if k % 2 else s.d**-0.5
            noise, C_p = sigma_p * s.d**0.5, 5 * s.M**0.5
            length = max(s.snr * noise, C_p * noise)
            eta = 0.3 * s.M / length**2
            wanted = {
                "sigma_p": sigma_p,
                "C_p": C_p,
                "eta": eta,
                "sigma_h": 0.2 / (s.d_h**0.25 * length),
                "sigma_V": 0.01 / s.w_O_norm / length,
                "mu_norm": s.snr * noise,
                "noise_norm": noise,
                "largest_norm": length,
                "T": 2 + s.N * (s.M - 1),
                "N_snr2": s.N * s.snr**2,
                "x": s.N * s.snr**2 / C_p**2,
            }
            yield (
                "defaults and what follows: their formulas",
                apart([getattr(s, name) for name in wanted], list(wanted.values())),
                EXACT,
            )
            steps = 30 * s.N * s.M / (eta * s.epsilon * s.w_O_norm**2 * length**2)
            yield "max_steps: its formula, rounded up", abs(s.max_steps - ceil(steps)), 1.0
            yield "max_steps: never fewer than the formula says", steps - s.max_steps, 1e-6 * steps
    by_hand = dict(sigma_p=0.2, C_p=3.0, eta=0.1, sigma_h=0.4, sigma_V=0.5, max_steps=7)
    s = _drawn(audited, problem, 9, **by_hand).replace(N=9, M=3, snr=4.0)
    yield (
        "what is given by hand stays as it is",
        float(sum(getattr(s, name) != value for name, value in by_hand.items())),
        0.0,
    )


def _S2(audited, problem):
    """Both sides of every clause, by the statement's own words, on both sides of ||mu|| = sigma_p sqrt d."""
    for k, snr in enumerate((0.3, 0.9, 1.1, 3.0, 0.5, 20.0)):
        s = _drawn(audited, problem, k, snr=snr)
        mu, noise = s.snr * s.sigma_p * s.d**0.5, s.sigma_p * s.d**0.5
        wanted = {
            ("d", ">~"): (s.d, s.N**2 * s.d_h / s.epsilon**2),
            ("N", ">~"): (s.N, 1),
            ("M", "~"): (s.M, 1),
            ("||w_O||", "~"): (s.w_O_norm, 1),
            ("eta", "<~"): (s.eta, min(mu**-2, noise**-2) / s.d_h**0.5),
            ("sigma_V", "<~"): (s.sigma_V, min(1 / mu, 1 / noise) / s.d_h**0.25 / s.w_O_norm),
            ("sigma_h", "~"): (s.sigma_h, min(1 / mu, 1 / noise) / s.d_h**0.25),
        }
        stated = audited.theorems.condition(s)
        for clause, ((name, _), (left, right)) in zip(stated, wanted.items()):
            yield from within({
                f"clause of {name}: its two sides": apart([clause.left, clause.right], [left, right]),
                f"clause of {name}: left / right": abs(clause.ratio * right / left - 1),
            }, EXACT)  # fmt: skip
        clauses = [(clause.statement.split()[0], clause.relation) for clause in stated]
        wrong = clauses != list(wanted) or s.condition() != stated
        yield "the clauses and their relations", wrong, 0.0


def _S3(audited, problem):
    """The published values, and the spread of a start and of noise drawn by them."""
    for figure, (asked, values) in PUBLISHED.items():
        s = audited.published.published_setting(figure, *asked)
        yield (
            f"{figure}: the published values",
            max(abs(getattr(s, name) - value) / (value or 1) for name, value in values.items()),
            EXACT,
        )
        yield from within({
            f"{figure}: noise in all dimensions, a uniform start, half of each label": (
                (s.noise, s.init, s.balanced) != ("full", "uniform", True)),
            f"{figure}: values without the mark [A] and a file": sum(
                "[A: " not in s.sources.get(name, "") for name in (values.keys() - {"N", "mu_norm"})),
        }, 0.0)  # fmt: skip
    s = audited.published.published_setting("figure1", 4, 10.0).replace(d_h=40, d_v=40, d=60)
    theta = audited.data.init_parameters(s, audited.data.make_rng(problem.seed, (61,)))
    largest, ends = [np.abs(W).max() for W in theta], [1 / 512] * 3 + [1 / sqrt(40)]
    yield (
        "figure1: the largest entries of a start are 1/512 and 1/sqrt d_v",
        relative_residual(largest, ends),
        0.5,
    )  # of 40 entries all are below half in 1 of 2^40 starts
    yield "figure1: no entry of a start is larger", float(np.max(np.divide(largest, ends))), 1 + 1e-12


ROWS = [
    Row(
        "S1",
        "s = max(||mu||, C_p sigma_p sqrt d): sigma_p = 1/sqrt d, C_p = 5 sqrt M, eta = 0.3 M/s^2, "
        "sigma_h = 0.2 d_h^(-1/4)/s, sigma_V = 0.01/(||w_O|| s)",
        "settings",
        "[C], C_p [P*]",
        ("paper/setting.py:Setting", "checked.py:Checked.replace", "checked.py:Checked._derived"),
        _S1,
        "",
        *ONCE,
    ),
    Row(
        "S2",
        "d >~ N^2 d_h/epsilon^2, N >~ 1, M ~ 1, ||w_O|| ~ 1; eta, sigma_V, sigma_h bounded by min{||mu||^-1, "
        "(sigma_p sqrt d)^-1}",
        "the Condition",
        "[P*], constants and logarithms 1",
        ("paper/theorems.py:condition", "paper/setting.py:Setting.condition"),
        _S2,
        "",
        *ONCE,
    ),
    Row(
        "S3",
        "the published experiments: sizes, scales, noise in all dimensions, a start uniform on +-sqrt 3 "
        "standard "
        "deviations",
        "Figures 1, 3, 4",
        "[A]",
        ("experiments/published.py:published_setting", "paper/data.py:init_parameters"),
        _S3,
        "",
        *ONCE,
    ),
]
