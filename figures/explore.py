"""explore.html: the phase diagram of the limit at the published scales, to be played with in a browser."""

import json
from dataclasses import replace

import numpy as np
from matplotlib.colors import to_hex

import benign_ref as br
from benign_ref.experiments.figure1 import CROSSINGS
from benign_ref.experiments.phases import find_phases
from benign_ref.runtime.store import write_whole
from benign_ref.teach.notation import mathml
from benign_ref.teach.page import page

from .common import compute, plt
from .explore_page import BODY, SCRIPT, STYLE

LEVEL = 0.2  # the test loss of the paper's cut
NS, MUS = tuple(range(2, 21, 2)), tuple(range(1, 101))  # the published plane [A]
PAIRS = ("ss", "s2", "2s", "22", "is", "i2")  # whose row, the token it attends to
SHADES = plt.get_cmap("viridis")
BRIGHTEST = 0.75  # the test loss at which the colours end


def digits(values):
    """Numbers with three significant digits."""
    return [float(f"{value:.3g}") for value in values]


def words(s, run, phases):
    """What a run showed, in a sentence or two."""
    side, reached = "benign" if run.test_loss <= LEVEL else "harmful", ", not converged" * (not run.converged)
    return (
        f"N = {s.N}, SNR = {s.snr:.3g}, ‖μ‖ = {s.mu_norm:.3g}: {side} overfitting. Training loss "
        f"{run.losses[-1]:.2g} after {run.steps} steps{reached}, test loss {run.test_loss:.3g}; {phases}."
    )


def cell(N, mu):
    """What the page shows of one run: steps, losses, attention, values, phases, colour, and words."""
    s = br.published_setting("figure1", N=N, mu=float(mu))
    run = br.train_in_limit(s, record_every=br.log_spaced_steps(s.max_steps, 18))
    at = run.history
    phases = find_phases(at.step, *(at.attention[pair] for pair in ("ss", "s2", "2s", "22")), s.M)
    return {
        "step": at.step.tolist(),
        "train": digits(run.losses[at.step]),
        "test": digits(at.test_loss),
        "S": [np.round(at.attention[pair], 3).tolist() for pair in PAIRS],
        "V": [digits(at.V_s), digits(at.V_2), digits(at.V_i)],
        "phases": [None if np.isnan(step) else round(float(step), 1) for step in phases[1:3]],
        "colour": to_hex(SHADES(min(1.0, run.test_loss / BRIGHTEST))),
        "words": words(s, run, phases),
    }


def crossings(ours):
    """{N: {"limit", "authors", "ours"}}: N SNR^2 at test loss 0.2, as text; a dash where there is none."""
    found = {}
    for N in NS:
        s = br.published_setting("figure1", N=N, mu=20.0)
        try:
            limit = f"{s.C_p**2 * br.critical_x(s.M, N, level=LEVEL, base=s):.0f}"
        except ValueError:
            limit = "beyond"
        found[N] = {
            "limit": limit,
            "authors": "{} ± {}".format(*CROSSINGS[N]) if N in CROSSINGS else "none in nine rows of ten",
            "ours": ours.get(str(N), "not computed in this run"),
        }
    return found


def edge(row):
    """The place in a row of cells from which on the test loss is at or below LEVEL; None without one."""
    above = [a for a, one in enumerate(row) if one["test"][-1] > LEVEL]
    return above[-1] + 1 if above and above[-1] + 1 < len(row) else None


def data(options, ours):
    """Everything the page draws, as JSON holds it. ours: {str(N): text} of the crossings measured by fig1."""
    noise, unkept = br.published_setting("figure1", N=2, mu=1.0).noise_norm, replace(options, store=None)
    found = compute("explore", cell, [(N, mu) for N in NS for mu in MUS], unkept, "cells of the page")
    cells = [[found[N, mu] for mu in MUS] for N in NS]
    return {
        "Ns": NS,
        "mus": MUS,
        "snr": [round(mu / noise, 4) for mu in MUS],
        "cells": cells,
        "edge": [edge(row) for row in cells],
        "crossings": crossings(ours),
    }


def write(path, options, ours):
    """The page at `path`, one file without a request to anywhere. Raises OSError."""
    text = json.dumps(data(options, ours), separators=(",", ":"), ensure_ascii=False)
    body = (
        BODY.replace("N_SNR2", mathml("N SNR^2")).replace("XI_2", mathml("xi_2")).replace("MU_", mathml("mu"))
        + f'<script type="application/json" id="data">{text}</script>\n<script>{SCRIPT}</script>'
    )
    whole = page("The phase diagram of the limit, to be played with", body, head=f"<style>{STYLE}</style>")
    write_whole(path, whole.encode())
    return path
