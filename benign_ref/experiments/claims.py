"""What the paper's figures state, in numbers, against what the published protocol gives: rows of a table.

Every criterion was fixed before a number was computed [C]. A verdict is one of HOLDS, FAILS, UNDECIDED; each
comes with its reason.
"""

from collections import namedtuple

import numpy as np

from .dynamics import PUBLISHED, published_limit
from .figure1 import BASE, CROSSINGS, DRAWS, LEVEL, MUS, NEVER, NS, RED, red_curve_as_drawn
from .published import published_setting

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "cannot be decided"
RMS_Z, MEAN_Z, MEDIAN = 1.2, 0.2, 0.015


COLUMNS = ("claim", "captioned", "drawn", "data", "ours", "computed", "criterion", "verdict", "command")
Claim = namedtuple("Claim", COLUMNS, defaults=[""] * 7 + ["python run_all.py --only fig1"])
Claim.__doc__ = """A row: the claim, as captioned, as drawn, as the authors' data have it, ours, computed from
the limit, the criterion, the verdict with its reason, and the command that shows it.
"""


def verdict(holds, reason="", decided=True):
    """The text of a verdict, with its reason."""
    word = UNDECIDED if not decided else HOLDS if holds else FAILS
    return f"{word}: {reason}" if reason else word


def crossing_claims(Ns, found, computed):
    """A row for each N of Figure 1; found: Crossings of our draws, computed: those of the limit."""
    for N, c, limit in zip(Ns, found, computed):
        data, said, far = f"{NEVER.get(N)} of {DRAWS} draws never fall", "the plane ends before", np.nan
        if N in CROSSINGS:
            mean, error, _ = CROSSINGS[N]
            data, far = f"{mean} ± {error}", abs(c.mean - mean) / np.hypot(c.error, error)
            said = "too few of our draws cross" if np.isnan(far) else f"{far:.1f} joint standard errors"
        yield Claim(
            f"Figure 1, N = {N}: test loss falls through {LEVEL} at N SNR²",
            criterion="our crossing within 3 joint standard errors of that of their data",
            verdict=verdict(far <= 3, said, not np.isnan(far)),
            captioned=f"{RED:.0f}",
            drawn=f"{red_curve_as_drawn(N):.0f}",
            data=data,
            ours=f"{c.rows} of {c.draws} draws cross"
            + (f", at {c.mean:.0f} ± {c.error:.0f}" if c.rows else ""),
            computed=f"{limit:.0f}",
        )


def away_from(c, means, errors):
    """The largest distance of crossings from c (None: their weighted mean), in their standard errors."""
    if len(means) < 2:
        return float("nan")
    centre = np.average(means, weights=errors**-2.0) if c is None else c
    return float(np.max(np.abs(means - centre) / errors))


def curve_claims(Ns, found, computed):
    """Whether the crossings of N >= 4 lie on N SNR^2 = 1000, and on any one curve N SNR^2 = c."""
    theirs = np.array([CROSSINGS[N][:2] for N in CROSSINGS], dtype=float).T
    known = [(c.mean, c.error) for N, c in zip(Ns, found) if N in CROSSINGS and np.isfinite(c.error)]
    ours = np.reshape(known, (-1, 2)).T
    shown = {
        "drawn": [red_curve_as_drawn(4), red_curve_as_drawn(20)],
        "data": theirs[0],
        "ours": ours[0],
        "computed": [limit for N, limit in zip(Ns, computed) if N in CROSSINGS],
    }
    spans = {k: f"{min(of):.0f} to {max(of):.0f}" if len(of) else "" for k, of in shown.items()}
    for name, c in (("on N SNR² = 1000", RED), ("on one curve N SNR² = c, whatever c", None)):
        far = away_from(c, *theirs), away_from(c, *ours)
        said = f"up to {far[0]:.1f} (their data) and {far[1]:.1f} (ours) standard errors away"
        yield Claim(
            f"Figure 1: the crossings of N ≥ 4 lie {name}",
            criterion="every crossing within 3 of its standard errors, in their data and in ours",
            verdict=verdict(max(far) <= 3, said, not np.isnan(far[1])),
            captioned="1000",
            **spans,
        )


def plane_claims(comparison, away):
    """The whole plane of Figure 1 against the authors' matrix (Comparison or None), and the limit against our
    means (away: the limit less our mean, at every pair).
    """
    ours, said, every = "", verdict(None, "needs the authors' file", False), len(CROSSINGS) * len(MUS)
    if comparison:
        ours = f"rms z {comparison.rms:.3f}, mean {comparison.mean:+.3f}, {comparison.pairs} pairs"
        fits, whole = comparison.rms <= RMS_Z and abs(comparison.mean) <= MEAN_Z, comparison.pairs >= every
        largest, few = f"largest |z| {abs(comparison.largest):.1f}", f"{comparison.pairs} of {every} pairs"
        said = verdict(fits, largest if whole else few, whole)
    median, pairs = float(np.median(np.abs(away))), len(NS) * len(MUS)
    few = "" if away.size >= pairs else f"{away.size} of {pairs} pairs"
    return [
        Claim(
            "Figure 1: test loss at every pair (N, ‖μ‖)",
            criterion=f"root mean square z ≤ {RMS_Z} and |mean z| ≤ {MEAN_Z} over all pairs with N ≥ 4",
            verdict=said,
            captioned="picture",
            command="python run_all.py --only fig1 --authors-matrix FILE",
            data="ten draws a pair",
            ours=ours,
        ),
        Claim(
            "Figure 1: the limit has the same plane, nothing fitted",
            criterion=f"median |difference| from our means ≤ {MEDIAN}",
            verdict=verdict(median <= MEDIAN, few, not few),
            computed=f"median |difference| {median:.4f}",
        ),
    ]


def dynamics_claims(runs):
    """Figures 3 and 4 at their last step. runs: {regime: [Trajectory, ...]} of the published protocol."""
    names = {
        "train_loss": "training loss",
        "test_loss": "test loss",
        "S_s": "attention on μ₊",
        "S_2": "on ξ₂",
    }
    for regime, trajectories in runs.items():
        (last,) = {int(one.steps[-1]) for one in trajectories}  # 500, whatever the loss
        benign, number = regime == "benign", PUBLISHED[regime][-1]
        values = np.array([[one.quantities[name][-1] for name in names] for one in trajectories])
        mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
        limit = published_limit(regime, np.array([last])).quantities
        right = mean[0] < 0.01 and (mean[1] < LEVEL) == benign and (mean[2] > mean[3]) == benign
        ends = ", ".join(f"{n} {m:.3g} ± {sd:.2g}" for n, m, sd in zip(names.values(), mean, spread))
        wanted = f"< {LEVEL}, most attention on μ₊" if benign else f"> {LEVEL}, most attention on ξ₂"
        yield Claim(
            f"Figure {number}: {regime} overfitting at step {last}",
            criterion=f"means: training loss < 0.01, test loss {wanted}",
            verdict=HOLDS if right else FAILS,
            command=f"python run_all.py --only fig{number}",
            captioned=regime,
            drawn="curves",
            data="no numbers public",
            ours=f"{ends} (sd, {len(values)} runs)",
            computed=", ".join(f"{names[n]} {limit[n][-1]:.3g}" for n in ("train_loss", "test_loss")),
        )


def other_claims():
    """What is stated without a number that could be measured, and C_p."""
    figures = {"figure1": BASE, **{name: published_setting(name) for name in PUBLISHED.values()}}
    others = [name[-1] for name, s in figures.items() if s.C_p != 5 * np.sqrt(s.M)]
    return [
        Claim(
            "C_p = 5√M in the experiments",
            criterion="equal in every figure",
            verdict=f"{FAILS} in Figures {', '.join(others)}" if others else HOLDS,
            command="python run_all.py --only departures",
            captioned="5√M [P*]",
            data=", ".join(f"{s.C_p:g} at M = {s.M} (Figure {name[-1]})" for name, s in figures.items()),
        ),
        Claim(
            "Figure 2: a vision transformer on MNIST, noise in the border",
            criterion="a number to compare with",
            verdict=f"{UNDECIDED}: no number is public",
            command="python run_all.py --only fig2",
            captioned="picture",
            drawn="cut at 0.35",
        ),
        Claim(
            "T1, T2: the order of the time to reach a training loss",
            criterion="an order is a statement about a limit",
            verdict=f"{UNDECIDED} by any finite range",
            command="python run_all.py --only theorem",
            captioned="orders [P*]",
            ours="exponents over a range: figure theorem",
        ),
    ]


def as_markdown(rows):
    """The table in Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
