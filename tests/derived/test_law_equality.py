"""The law engine against direct draws by Kolmogorov-Smirnov tests: pieces, experiments, wrong variants."""

import functools

import numpy as np
import pytest

import benign_ref as br
from benign_ref.derived import fresh, law
from benign_ref.derived.law import train_in_law

LEVEL = 0.001  # of each two-sample test: the same for what must pass and for what must be rejected
RUNS, FRESH = 200, 150
# T = 20 = 2 + 6*3, and 2d_h+1 = 17
SHAPE = dict(N=6, M=4, d_h=8, d_v=3, w_O_norm=1.3, eta=0.3, max_steps=2000)
# the residual weighs in the result
STRONG_START = dict(SHAPE, snr=1.0, C_p=1.5, sigma_h=0.6, sigma_V=4.0, epsilon=0.2)
# what was learned weighs, and the Gram matrix
WEAK_START = dict(SHAPE, snr=3.0, C_p=2.0, sigma_h=0.3, sigma_V=0.8, epsilon=0.1)
# the small noise tokens are longer than the signals, and lie along them by 2 parts in d = 24
OVERLAP = dict(SHAPE | {"eta": 0.9}, snr=0.7, C_p=1.5, sigma_h=0.3, sigma_V=0.8, epsilon=0.1)
SETTINGS = {
    "strong start, ample": br.Setting(**STRONG_START, d=64),
    "strong start, residual of 10 < 17 dimensions": br.Setting(**STRONG_START, d=30),
    "strong start, just above T": br.Setting(**STRONG_START, d=22),
    "weak start, ample": br.Setting(**WEAK_START, d=64),
    "weak start, just above T": br.Setting(**WEAK_START, d=22),
    "weak start, d = T, no residual": br.Setting(**WEAK_START, d=20),
    "full noise, overlapping the signals": br.Setting(**OVERLAP, d=24, noise="full"),
    "full noise, d = T": br.Setting(**OVERLAP, d=20, noise="full"),
}
STATISTICS = ("steps", "test loss", "spread")


def ks_distance(a, b):
    """The largest distance between two empirical distribution functions, ties on the right of both."""
    points = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (a, b)]
    return np.abs(below[0] - below[1]).max()


def ks_critical(n, m, level):
    """Exceeded with probability `level` if both have one law, n, m large: sqrt(-log(level/2)/2 (n+m)/(nm)),
    the series' first term.
    """
    return np.sqrt(-np.log(level / 2) / 2 * (n + m) / (n * m))


def summary(steps, y, f):
    """One run as numbers: steps to epsilon, test loss, and the spread of y f over fresh samples."""
    return steps, np.logaddexp(0, -y * f).mean(), (y * f).std()


def direct_runs(s, seed=1, runs=RUNS):
    """(3,runs): data and parameters in d dimensions, gradient descent on the parameters, fresh data in d
    dimensions.
    """
    out = []
    for k in range(runs):
        rng = br.make_rng(seed, (k,))
        data, theta = br.sample_dataset(s, rng), br.init_parameters(s, rng)
        run, fresh = br.train(s, data, theta, engine="parameters"), br.sample_dataset(s, rng, n=FRESH)
        out.append(summary(run.steps, fresh.y, br.forward(run.parameters, fresh.X, backend="numba")))
    return np.array(out).T


def law_runs(s, seed=2, runs=RUNS):
    """(3,runs): the same in law."""
    out = []
    for k in range(runs):
        rng = br.make_rng(seed, (k,))
        run = train_in_law(s, rng)
        out.append(summary(run.steps, *run.model.sample_outputs(FRESH, rng)))
    return np.array(out).T


def told_apart(a, b):
    """The statistics whose distance is beyond the critical value."""
    limit = ks_critical(a.shape[1], b.shape[1], LEVEL)
    return [name for name, x, z in zip(STATISTICS, a, b) if ks_distance(x, z) > limit]


@pytest.fixture(scope="module")
def direct():
    """direct(name): the direct runs of SETTINGS[name], drawn once."""
    return functools.cache(lambda name: direct_runs(SETTINGS[name]))


def test_the_ks_test_keeps_its_level_and_sees_a_shift():
    """Its 5% point is Kolmogorov's tabulated 1.358 sqrt((n+m)/(nm)), and under one law it rejects about as
    often as it should.
    """
    assert np.isclose(ks_critical(300, 300, 0.05), 1.358 * np.sqrt(600 / 90000), rtol=1e-3)
    assert ks_distance(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 0
    assert (
        ks_distance(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 0.5
        and ks_distance(np.array([0.0]), np.array([1.0])) == 1
    )
    rng = br.make_rng(0)
    distances = np.array([ks_distance(*rng.standard_normal((2, RUNS))) for _ in range(2000)])
    assert 0.03 < np.mean(distances > ks_critical(RUNS, RUNS, 0.05)) < 0.06
    assert ks_distance(rng.standard_normal(RUNS), 0.5 + rng.standard_normal(RUNS)) > ks_critical(
        RUNS, RUNS, LEVEL
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_whole_experiments_are_equal_in_law(direct, name):
    a = direct(name)
    assert told_apart(a, law_runs(SETTINGS[name])) == []
    assert (a.std(axis=1) > [5, 0.05, 0.1]).all()  # there is something to tell apart


def same_degrees_for_all(size, degrees, rng):
    """Bartlett without the loss of one degree of freedom a row."""
    L = law_bartlett(size, degrees, rng)
    np.fill_diagonal(L, np.sqrt(rng.chisquare(degrees, size=size)))
    return L


def residual_of(degrees):
    """The residual with other degrees of freedom, d-T being right."""
    return lambda s, rng: law_residual(s.replace(d=s.T + degrees(s)), rng)


class Forgetful(law.LawSpace):
    """A run whose end fresh tokens do not see: U(t) stays U(0)."""

    def columns(self):
        return self.W


class Projected(law.LawModel):
    """Fresh noise that does not see the signals' rows."""

    def fresh_noise(self):
        s = self.setting.replace(noise="orthogonal")
        return law_model(s, self.U, self.R).fresh_noise()


def loud_along_the_signals(s, rng):
    """Noise whose coordinates along the signals are twice what they should be."""
    A = law_root(s, rng)
    A[2:, :2] *= 2
    return A


law_model, law_root, law_bartlett, law_residual, law_levels, law_scales = (
    law.LawModel,
    law.token_root,
    law.bartlett,
    law.residual_root,
    law.noise_levels,
    law.column_scales,
)
NONE, WITH_M_DEGREES = (lambda s, rng: law_residual(s, rng)[:0]), residual_of(lambda s: s.d - 2)
V_AS_Q = lambda s, rng: law_residual(s, rng) / law_scales(s) * s.sigma_h  # noqa: E731
TRANSPOSED = lambda s, rng: (law_residual(s, rng) / law_scales(s)).T * law_scales(s)  # noqa: E731
DIAGONAL = lambda size, degrees, rng: np.diag(np.diag(law_bartlett(size, degrees, rng)))  # noqa: E731
WRONG = {  # what: (where, what it replaces)
    "residual left out": ("strong start, ample", dict(residual_root=NONE)),
    "few residual dimensions left out": (
        "strong start, residual of 10 < 17 dimensions",
        dict(residual_root=NONE),
    ),
    "residual with m degrees": ("strong start, ample", dict(residual_root=WITH_M_DEGREES)),
    "residual with m degrees, 10 being right": (
        "strong start, residual of 10 < 17 dimensions",
        dict(residual_root=WITH_M_DEGREES),
    ),
    "residual with m degrees, 2 being right": (
        "strong start, just above T",
        dict(residual_root=WITH_M_DEGREES),
    ),
    "residual with half its degrees": (
        "strong start, ample",
        dict(residual_root=residual_of(lambda s: (s.d - s.T) // 2)),
    ),
    "residual of V at the scale of Q": ("strong start, ample", dict(residual_root=V_AS_Q)),
    "residual's root transposed": ("strong start, ample", dict(residual_root=TRANSPOSED)),
    "Gram with m degrees for every row": ("weak start, just above T", dict(bartlett=same_degrees_for_all)),
    "noise tokens orthogonal": ("weak start, just above T", dict(bartlett=DIAGONAL)),
    "token 2 no louder than the others": (
        "weak start, ample",
        dict(noise_levels=lambda s, n: law_levels(s.replace(C_p=1.0), n)),
    ),
    "norm of w_O left out of V(0)": (
        "strong start, ample",
        dict(column_scales=lambda s: law_scales(s.replace(w_O_norm=1.0))),
    ),
    "training noise projected, full being right": (
        "full noise, d = T",
        dict(token_root=lambda s, rng: law_root(s.replace(noise="orthogonal"), rng)),
    ),
    "fresh noise projected, full being right": (
        "full noise, overlapping the signals",
        dict(LawModel=Projected),
    ),
    "full noise along the signals at the wrong level": (
        "full noise, overlapping the signals",
        dict(token_root=loud_along_the_signals),
    ),
    "fresh data seen by the start": ("weak start, ample", dict(LawSpace=Forgetful)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_law_is_rejected(direct, monkeypatch, name):
    where, change = WRONG[name]
    for attribute, value in change.items():
        for module in (law, fresh):
            if hasattr(module, attribute):
                monkeypatch.setattr(module, attribute, value)
    # most are seen by the first few of the runs already
    assert any(told_apart(direct(where), law_runs(SETTINGS[where], runs=runs)) for runs in (25, 60, RUNS))


SHAPES = {  # (M, d_h): x' of a fresh token has d_h coordinates; itself is drawn, or M-1 numbers for it
    "few coordinates": (6, 5),
    "many coordinates": (4, 20),
}


def outputs_of_whole_tokens(model, n, rng):
    """f of n fresh samples with y > 0, by rows [q | k | V] of tokens drawn whole."""
    s, h = model.setting, model.setting.d_h
    W = np.concatenate([model.U[2:], model.R])
    rows = s.sigma_p * rng.standard_normal((n, s.M, len(W))) @ W
    rows[:, 1] *= s.C_p
    rows[:, 0] = s.mu_norm * model.U[0]
    e = np.exp(rows[:, :, :h] @ rows[:, :, h:-1].swapaxes(1, 2))
    return ((e / e.sum(axis=2, keepdims=True)) @ rows[:, :, -1:]).mean(axis=(1, 2))


@pytest.mark.parametrize("shape", SHAPES)
def test_fresh_outputs_have_the_law_of_those_of_tokens_drawn_whole(monkeypatch, shape):
    """At logits of order 1, between noise tokens; with the part of the keys that z does not see twice as
    long, or left out, the same test rejects.
    """
    (M, d_h), n, rng = SHAPES[shape], 40_000, br.make_rng(9)
    s = br.Setting(N=2, M=M, d=300, d_h=d_h, C_p=1.5, snr=0.1)
    p = 2 * d_h + 1
    U, R = (d_h**-0.25 / s.sigma_p / size**0.5 * rng.standard_normal((size, p)) for size in (s.T, p))
    U[:, d_h:-1] = R[:, :d_h] = 0.0  # keys see of noise what queries do not
    model = law.LawModel(s, U, R)
    noise, direct = model.fresh_noise(), outputs_of_whole_tokens(model, n, rng)
    assert noise.beyond(M - 1) == (d_h if shape == "few coordinates" else M - 1)

    def told_apart(factor):
        changed = noise._replace(B=factor * noise.B)
        monkeypatch.setattr(law.LawModel, "fresh_noise", lambda self: changed)
        y, f = model.sample_outputs(2 * n, rng)
        one, other = direct - np.median(direct), f[y > 0] - np.median(direct)
        found = ks_distance(one, other), ks_distance(np.abs(one), np.abs(other))
        return max(found) > ks_critical(n, n, LEVEL)

    assert not told_apart(1.0) and told_apart(2.0) and told_apart(0.0)


def gram_statistics(grams):
    """(draws,k,k) -> four numbers of each, on which a wrong degree of freedom or a lost correlation shows."""
    eigenvalues = np.linalg.eigvalsh(grams)
    return np.array([eigenvalues[:, 0], eigenvalues[:, -1], grams[:, 0, 0], grams[:, -1, 0]])


def squares(root):
    """root^T root of each of a stack."""
    return root.swapaxes(1, 2) @ root


@pytest.mark.parametrize("degrees", [12, 13, 40])
def test_bartlett_has_the_law_of_a_gram_matrix(degrees):
    """12 Gaussian vectors; with one degree of freedom more or fewer, or the same for every row, the same test
    rejects.
    """
    rng, draws = br.make_rng(3), 3000
    direct = gram_statistics(squares(rng.standard_normal((draws, degrees, 12))))
    limit = ks_critical(draws, draws, LEVEL)

    def distance(draw, change=0):
        drawn = np.array([draw(12, degrees + change, rng) for _ in range(draws)])
        assert (np.triu(drawn, 1) == 0).all()
        return max(ks_distance(x, z) for x, z in zip(direct, gram_statistics(drawn @ drawn.swapaxes(1, 2))))

    assert distance(law.bartlett) < limit
    assert distance(same_degrees_for_all) > limit and distance(law.bartlett, change=2) > limit


@pytest.mark.parametrize("degrees", [1, 4, 5, 9])
def test_the_residual_has_the_law_of_what_it_stands_for(degrees):
    s, rng, draws = (
        br.Setting(N=2, M=3, d=6 + degrees, d_h=2, sigma_h=0.7, sigma_V=1.9, w_O_norm=1.3),
        br.make_rng(4),
        3000,
    )
    scales = np.array([0.7, 0.7, 0.7, 0.7, 1.9 * 1.3])
    direct = gram_statistics(squares(scales * rng.standard_normal((draws, degrees, 5))))
    drawn = np.array([law.residual_root(s, rng) for _ in range(draws)])
    assert drawn.shape[1] == min(degrees, 5)
    picked = (
        slice(None) if degrees >= 5 else slice(1, None)
    )  # the smallest eigenvalue is 0 with fewer degrees
    for x, z in list(zip(direct, gram_statistics(squares(drawn))))[picked]:
        assert ks_distance(x, z) < ks_critical(draws, draws, LEVEL)
    assert law.residual_root(s.replace(d=6), rng).shape == (0, 5)


@pytest.mark.parametrize("d", [6, 9])
def test_the_drawn_tokens_have_the_gram_matrix_of_real_ones(d):
    """T = 6 = d leaves the least room for an error of one degree of freedom; the levels of the noise tokens
    are part of it.
    """
    s, rng, draws = br.Setting(N=2, M=3, d=d, C_p=1.7, snr=1.3), br.make_rng(8), 3000
    drawn = np.array([law.token_root(s, rng) for _ in range(draws)])
    drawn = drawn @ drawn.swapaxes(1, 2)
    direct = np.array([br.sample_dataset(s, rng).X[:, 1:].reshape(4, d) for _ in range(draws)])
    for x, z in zip(gram_statistics(direct @ direct.swapaxes(1, 2)), gram_statistics(drawn[:, 2:, 2:])):
        assert ks_distance(x, z) < ks_critical(draws, draws, LEVEL)
    assert (
        np.allclose(drawn[:, :2, :2], s.mu_norm**2 * np.eye(2), rtol=1e-15) and (drawn[:, :2, 2:] == 0).all()
    )
