"""explore.html: the phase diagram of the limit at the published scales, to be played with in a browser."""

import json

import numpy as np
from benign_ref.experiments.published import AUTHORS_CROSSINGS, published_setting
from benign_ref.teach.notation import mathml
from benign_ref.teach.page import page

from benign_ref.derived.boundary import critical_x
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments.phases import find_phases
from benign_ref.paper.descent import log_spaced_steps

from .explore_page import BODY, SCRIPT, STYLE

LEVEL = 0.2  # the test loss of the paper's cut
NS, MUS = tuple(range(2, 21, 2)), tuple(range(1, 101))  # the published plane [A]
PAIRS = ("ss", "s2", "2s", "22", "is", "i2")  # whose row, the token it attends to
THOUSANDTHS = 1000  # attention, losses and values are sent as whole thousandths


def whole(values):
    """Numbers as a list of whole thousandths."""
    return np.rint(THOUSANDTHS * np.asarray(values)).astype(int).tolist()


def cell(N, mu):
    """What the page shows of one run: steps, losses, attention by pair, values, the phases, a verdict in
    words.
    """
    s = published_setting("figure1", N=N, mu=float(mu))
    run = train_in_limit(s, record_every=log_spaced_steps(s.max_steps, 18))
    at = run.history
    phases = find_phases(at.step, *(at.attention[pair] for pair in ("ss", "s2", "2s", "22")), s.M)
    begins = [None if np.isnan(step) else round(float(step), 1) for step in (phases.leaves, phases.settles)]
    return {
        "step": at.step.tolist(),
        "train": whole(run.losses[at.step]),
        "test": whole(at.test_loss),
        "S": [whole(at.attention[pair]) for pair in PAIRS],
        "V": [whole(at.V_s), whole(at.V_2), whole(at.V_i)],
        "phases": begins,
        "done": int(run.converged),
    }


def crossings(ours):
    """{N: {"limit", "authors", "ours"}}: N SNR^2 at test loss 0.2, as text; a dash where there is none."""
    found = {}
    for N in NS:
        s = published_setting("figure1", N=N, mu=20.0)
        try:
            limit = f"{s.C_p**2 * critical_x(s.M, N, level=LEVEL, base=s):.0f}"
        except ValueError:
            limit = "beyond"
        authors = AUTHORS_CROSSINGS.get(N)
        found[N] = {
            "limit": limit,
            "authors": "none in nine rows of ten" if authors is None else f"{authors[0]} ± {authors[1]}",
            "ours": ours.get(N, "not computed in this run"),
        }
    return found


def data(ours):
    """Everything the page draws, as a dict that JSON holds. ours: {N: text} of the crossings measured by
    fig1.
    """
    s = published_setting("figure1", N=2, mu=1.0)
    return {
        "Ns": NS,
        "mus": MUS,
        "snr": [round(mu / s.noise_norm, 4) for mu in MUS],
        "level": whole([LEVEL])[0],
        "M": s.M,
        "cells": [[cell(N, mu) for mu in MUS] for N in NS],
        "crossings": crossings(ours),
    }


def write(path, ours):
    """The page at `path`, one file without a request to anywhere. Raises OSError."""
    text = json.dumps(data(ours), separators=(",", ":"), ensure_ascii=False)
    body = (
        BODY.replace("N_SNR2", mathml("N SNR^2")).replace("XI_2", mathml("xi_2")).replace("MU_", mathml("mu"))
    )
    body += f'<script type="application/json" id="data">{text}</script>\n<script>{SCRIPT}</script>'
    whole_page = page("The phase diagram of the limit, to be played with", body, style=STYLE)
    path.write_text(whole_page, encoding="utf-8")
    return path
