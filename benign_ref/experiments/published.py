"""The published experiments: the settings of the paper's Figures 1, 3 and 4 as the authors' public code has
them [A] (GitHub JiaruiJ/Benign_ViT at commit 01e6b62). The files are named beside each value by `print`.

Figure 1 runs over N = 2, 4, ..., 20 and ||mu|| = 1, ..., 100, ten draws of each, 100 fresh samples of each
draw. Figures 3 and 4 take 500 steps whatever the loss, on which our epsilon = 1e-300 [C] puts no end.
"""

from math import sqrt

from .. import validate
from ..paper.setting import Setting

COMMIT = "01e6b62"
COMMON = {"C_p": 20.0, "w_O_norm": 1 / sqrt(3), "balanced": True, "noise": "full", "init": "uniform"}
DYNAMICS = {"M": 4, "d": 2048, "d_h": 1024, "d_v": 256, "sigma_p": 0.05, "epsilon": 1e-300, "max_steps": 500,
            "sigma_h": 1 / sqrt(2048) / 64 / sqrt(3), "sigma_V": 1 / sqrt(2048) / 64 / sqrt(3),
            **COMMON}  # fmt: skip
FIGURES = {  # figure: (the authors' file, the published N, the published ||mu||, the other values)
    "figure1": ("vit.py", None, None, {
        "M": 16, "d": 1024, "d_h": 512, "d_v": 512, "sigma_p": 0.2, "sigma_h": 1 / 512 / sqrt(3),
        "sigma_V": 1 / 512 / sqrt(3), "eta": 0.1, "epsilon": 0.01, "max_steps": 1000, "extra_steps": 1,
        **COMMON}),
    "figure3": ("training_dynamic_benign.py", 16, 25.0, {"eta": 0.01, **DYNAMICS}),
    "figure4": ("training_dynamic_harmful.py", 10, 15.0, {"eta": 0.02, **DYNAMICS}),
}  # fmt: skip


def published_setting(
    figure: str, N: int | None = None, mu: float | None = None, snr: float | None = None
) -> Setting:
    """The Setting of a published experiment [A]: figure "figure1" (N and mu must be given), "figure3" or
    "figure4" (N and mu default to the published ones).

    mu is ||mu||; SNR follows it, ||mu||/(sigma_p sqrt(d)). snr may be given instead of mu. `print` shows the
    authors' file beside each value. Raises ValueError for an unknown figure, mu and snr together, N or mu
    missing; ValueError or TypeError for any other bad value.
    """
    validate.choice("figure", figure, tuple(FIGURES))
    file, published_N, published_mu, values = FIGURES[figure]
    validate.require(
        mu is None or snr is None,
        f"mu and snr exclude each other, as SNR follows ||mu||: got mu={mu!r}, snr={snr!r}",
    )
    sources = dict.fromkeys([*values, "extra_steps"], f"[A: {file}]")
    if figure != "figure1":
        sources["epsilon"] = "[C], no end: 500 steps whatever the loss [A]"
    if N is None:
        N, sources["N"] = published_N, f"[A: {file}]"
    if mu is None and snr is None:
        mu, sources["snr"] = published_mu, f"[A: {file}], from ||mu|| = {published_mu!r}"
    for name, value in (("N", N), ("mu", mu if snr is None else snr)):
        validate.require(
            value is not None,
            f"{name} must be given for {figure}, which runs over N and ||mu||: {name} is missing",
        )
    if snr is None:
        snr = validate.real("mu", mu) / (values["sigma_p"] * sqrt(values["d"]))
    return Setting(N=N, snr=snr, **values).with_sources(sources)
