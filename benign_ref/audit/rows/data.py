"""D1 and the initialisation: exact properties of a draw, exact responses to the scales, and moments in
standard errors.
"""

import numpy as np

from ..core import Row, worst
from ..problems import GENERIC

EXACT = 1e-12  # measured on 100 seeds: at most 4.4e-16
ERRORS = 6.0  # standard errors; measured on 100 seeds: at most 4.0


def setting(audited, problem, **changes):
    """A small Setting: all scales set by hand, or all derived."""
    sizes = dict(N=6, M=4, d=9, d_h=5, d_v=4)
    by_hand = dict(snr=1.5, sigma_p=0.7, C_p=3.0, sigma_h=0.5, sigma_V=0.8, w_O_norm=1.7)
    scales = by_hand if problem.scale == GENERIC else dict(snr=3.0, w_O_norm=1.5)
    return audited.setting.Setting(**{**sizes, **scales, **changes})


def errors(samples, mean, variance):
    """The largest |average of samples (n,...) - mean| in standard errors, for independent samples of the
    stated variance.
    """
    return float(np.max(np.abs(samples.mean(axis=0) - mean) / np.sqrt(variance / len(samples))))


def check_D1(audited, problem):
    """The dataset, then the start."""
    yield from check_tokens(audited, problem)
    yield from check_moments(audited, problem)
    yield from check_labels(audited, problem)
    yield from check_start(audited, problem)


def check_tokens(audited, problem):
    """Exact: token 1 is the signal of its label, noise is off both signals, and each scale moves its own
    tokens only.
    """
    s, seed = setting(audited, problem), problem.seed
    draw = lambda s: audited.data.sample_dataset(s, audited.data.make_rng(seed), n=40)  # noqa: E731
    X, y, plus, minus = draw(s)
    mu = s.snr * s.sigma_p * np.sqrt(s.d)
    wanted = np.array([plus if label == 1.0 else minus for label in y])
    yield "token 1 of each sample against the signal of its label", worst(X[:, 0], wanted), EXACT
    yield (
        "norms and angle of the two signals",
        worst([plus @ plus, minus @ minus, plus @ minus + mu**2], [mu**2] * 3),
        EXACT,
    )
    yield (
        "the two signals as data.signals gives them",
        worst(np.array(audited.data.signals(s)), np.array([plus, minus])),
        EXACT,
    )
    noise = X[:, 1:]
    yield (
        "noise along both signals",
        float(np.abs(noise @ np.array([plus, minus]).T).max() / (mu * np.abs(noise).max())),
        EXACT,
    )
    louder = draw(s.replace(C_p=3 * s.C_p, snr=s.snr)).X
    yield (
        "C_p times 3: token 2 times 3, the rest as it was",
        worst(louder, X * np.array([1, 3, 1, 1])[:, None]),
        EXACT,
    )


def check_moments(audited, problem):
    """Means, variances, covariances and fourth moments of the noise, in units of its stated standard
    deviation.
    """
    s = setting(audited, problem)
    X, _, plus, minus = audited.data.sample_dataset(s, audited.data.make_rng(problem.seed, (1,)), n=2000)
    off = np.linalg.svd(np.array([plus, minus]))[2][2:]  # an orthonormal basis of what is left: (d-2,d)
    z = (X[:, 1:] @ off.T / (s.sigma_p * np.array([s.C_p, 1, 1])[:, None])).reshape(
        len(X), -1
    )  # (n, 3(d-2)), each N(0,1)
    pairs = np.triu_indices(z.shape[1], 1)
    yield "noise: means, in standard errors", errors(z, 0, 1), ERRORS
    yield "noise: variances sigma^2, in standard errors", errors(z**2, 1, 2), ERRORS
    yield (
        "noise: covariances of entries and tokens, in standard errors",
        errors(z[:, pairs[0]] * z[:, pairs[1]], 0, 1),
        ERRORS,
    )
    yield (
        "noise: fourth moment 3 of a Gaussian, in standard errors",
        errors((z**4).reshape(-1, 1), 3, 96),
        ERRORS,
    )


def check_labels(audited, problem):
    """Balanced labels sum to 0 in random order; the others are independent coins."""
    s = setting(audited, problem)
    rng = audited.data.make_rng(problem.seed, (2,))
    balanced = np.array([audited.data.sample_labels(s, rng, 6) for _ in range(400)])
    coins = audited.data.sample_dataset(s.replace(balanced=False), rng, n=4000).y
    signs = np.abs(np.abs(np.concatenate([balanced.ravel(), coins])) - 1).max()
    yield (
        "labels are -1 or +1, and balanced ones sum to 0",
        float(signs + np.abs(balanced.sum(axis=1)).max()),
        0.0,
    )
    yield (
        "labels: means by position, in standard errors",
        max(errors(balanced, 0, 1), errors(coins, 0, 1)),
        ERRORS,
    )


def check_start(audited, problem):
    """theta(0): moments in units of the stated standard deviations; the norm of w_O."""
    s = setting(audited, problem, d=60, d_h=20, d_v=20)
    draws = [audited.data.init_parameters(s, audited.data.make_rng(problem.seed, (3, k))) for k in range(30)]
    each = [np.concatenate([np.ravel(block) for block in blocks]) for blocks in list(zip(*draws))[:3]]
    z = np.array([block / scale for block, scale in zip(each, (s.sigma_h, s.sigma_h, s.sigma_V))]).T  # (n,3)
    w_O = np.array([theta[3] for theta in draws])
    yield "norm of w_O", worst(np.linalg.norm(w_O, axis=1), np.full(30, s.w_O_norm)), EXACT
    moments = (
        errors(z, 0, 1),
        errors(z**2, 1, 2),
        errors(z**4, 3, 96),
        errors(z[:, [0, 0, 1]] * z[:, [1, 2, 2]], 0, 1),
    )
    yield "theta(0): means, variances, fourth moments, covariances, in standard errors", max(moments), ERRORS
    yield "w_O: its direction on average, in standard errors", errors(w_O, 0, s.w_O_norm**2 / 20), ERRORS


ROWS = [
    Row(
        "D1",
        "x_1 = mu_+ or mu_- by the label y = +1 or -1; x_2 ~ N(0, C_p^2 sigma_p^2 Pi), x_i ~ N(0, sigma_p^2 Pi), i = 3..M; "
        "W_Q, W_K(0) ~ N(0, sigma_h^2), W_V(0) ~ N(0, sigma_V^2)",
        "data model, initialisation",
        "[P*]",
        (
            "paper/data.py:sample_dataset",
            "paper/data.py:signals",
            "paper/data.py:sample_labels",
            "paper/data.py:init_parameters",
        ),
        check_D1,
        "The law of the draw is checked by its moments up to the fourth, at n = 2000 draws.",
    ),
]
