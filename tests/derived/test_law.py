"""The law engine on the coordinates of a real draw against the parameters themselves, its fresh data, and how
it behaves.
"""

import tracemalloc

import numpy as np
import pytest

import benign_ref as br
from benign_ref.derived import fresh, law
from benign_ref.derived.law import train_in_law
from benign_ref.engines.records import descend
from benign_ref.paper import model as model_of_rows
from benign_ref.paper import proof
from benign_ref.paper.descent import side_by_side
from benign_ref.paper.model import Parameters

BASE = br.Setting(
    N=6,
    M=4,
    d=64,
    d_h=8,
    d_v=3,
    snr=1.0,
    C_p=1.5,
    sigma_h=0.6,
    sigma_V=4.0,
    w_O_norm=1.3,
    eta=0.3,
    epsilon=0.2,
)


@pytest.fixture
def real_draw(monkeypatch):
    """real_draw(s) -> data, theta: a direct draw, whose own coordinates `train_in_law` will get instead of
    drawn ones.
    """

    def make(s):
        data, theta = br.sample_dataset(s, br.make_rng(5)), br.init_parameters(s, br.make_rng(6))
        Z = np.concatenate([[data.mu_plus, data.mu_minus], data.X[:, 1:].reshape(-1, s.d)])
        basis, upper = np.linalg.qr(Z.T, mode="complete")  # Z = upper^T basis^T
        W = np.concatenate([theta.W_Q, theta.W_K, (theta.W_V @ theta.w_O)[:, None]], axis=1)
        monkeypatch.setattr(law, "sample_labels", lambda s, rng, n: data.y)
        monkeypatch.setattr(law, "token_root", lambda s, rng: upper[: s.T].T)
        monkeypatch.setattr(law, "span_coordinates", lambda s, rng: basis[:, : s.T].T @ W)
        monkeypatch.setattr(law, "residual_root", lambda s, rng: basis[:, s.T :].T @ W)
        return data, theta

    return make


@pytest.mark.plain
@pytest.mark.parametrize(
    "change",
    [
        {},
        dict(noise="full"),
        dict(d=11),
        dict(d_h=50, extra_steps=3, epsilon=0.5, max_steps=40),
        dict(N=1, M=2, d_h=1),
        dict(snr=0.1, sigma_V=0.5),
    ],
)
def test_on_the_coordinates_of_a_real_draw_the_run_is_that_of_the_parameters(real_draw, worst, change):
    shape = {**dict(N=3, M=4, d=25, d_h=3, d_v=2), **change}
    s = br.Setting(
        **{**dict(snr=2.0, C_p=1.5, sigma_h=0.5, sigma_V=1.5, w_O_norm=1.3, eta=0.4, max_steps=12), **shape}
    )
    data, theta = real_draw(s)
    expected, run = (
        br.train(s, data, theta, engine="parameters"),
        train_in_law(s, br.make_rng(0), record_every=6),
    )
    assert np.allclose(run.losses, expected.losses, rtol=1e-9, atol=0) and run.losses[-1] < run.losses[0]
    assert (run.steps, run.converged) == (expected.steps, expected.converged)
    assert np.allclose(run.records[-1].attention, br.attention(expected.parameters, data.X), rtol=1e-8)
    W_Q, W_K, W_V, w_O = expected.parameters
    W = np.concatenate([W_Q, W_K, (W_V @ w_O)[:, None]], axis=1)
    U, R = run.model.U, run.model.R
    assert (
        worst(s.mu_norm * np.abs(U[:2]), np.abs([data.mu_plus @ W, data.mu_minus @ W])) < 1e-9
    )  # QR leaves a sign to the signals' axes
    off = 0 if s.noise == "full" else 2  # the signals are the first two axes: covariance of fresh noise
    assert worst(U[off:].T @ U[off:] + R.T @ R, W[off:].T @ W[off:]) < 1e-9


@pytest.mark.parametrize("noise", ["orthogonal", "full"])
@pytest.mark.parametrize(
    "N, M, d, d_h",
    [
        (2, 3, 12, 2),
        (3, 5, 40, 1),
        (1, 2, 3, 4),
        (1, 6, 30, 9),
        (2, 7, 60, 5),
        (2, 4, 19, 8),
        (1, 5, 200, 150),
    ],
)
def test_fresh_samples_are_the_model_on_rows_of_the_right_covariance(worst, noise, N, M, d, d_h):
    """C = W^T Pi W (or W^T W), to rounding; outputs, by logits alone, are those of the rows [q | k | V]."""
    s, rng = br.Setting(N=N, M=M, d=d, d_h=d_h, C_p=3.0, noise=noise), br.make_rng(7)
    p = 2 * d_h + 1
    U, R = rng.standard_normal((s.T, p)), rng.standard_normal((min(d - s.T, p), p))
    model, y = law.LawModel(s, U, R), rng.choice([-1.0, 1.0], 7)
    drawn = model.fresh_noise()
    seen = np.concatenate([U if noise == "full" else U[2:], R])
    under = s.mu_norm * seen[:, d_h:-1] @ U[:2, :d_h].T
    columns = np.concatenate([seen[:, :d_h], seen[:, -1:], under, seen[:, d_h:-1]], axis=1)
    assert worst(drawn.root.T @ drawn.root, columns.T @ columns) < 1e-13
    a = len(drawn.B)
    assert a == min(len(seen), d_h + 3)
    x = rng.standard_normal((7, M - 1, a + drawn.beyond(M - 1)))
    noise_tokens = np.array([whole(one[:, :a], one[:, a:], drawn.root, d_h) for one in x]) @ drawn.root
    order = [*range(d_h), *range(d_h + 3, p + 2), d_h]  # q, k, V
    sigma = s.sigma_p * np.array([3.0] + [1.0] * (M - 2))
    signals = s.mu_norm * U[np.where(y > 0, 0, 1)]
    rows = np.concatenate([signals[:, None], sigma[:, None] * noise_tokens[:, :, order]], 1)
    S = model_of_rows.softmax(rows[:, :, :d_h] @ rows[:, :, d_h:-1].swapaxes(1, 2))
    assert worst(model.outputs(y, x, drawn), (S @ rows[:, :, -1:]).mean(axis=(1, 2))) < 1e-12


def whole(z, g, root, d_h):
    """Coordinates (M-1,r) of tokens of a sample: z, and beyond them those that g stands for: in as many
    numbers themselves, or else those of least norm at which the queries give the logits L g, L by NumPy's
    Cholesky.
    """
    beyond = root[z.shape[1] :, d_h + 3 :] @ root[: z.shape[1], :d_h].T  # (r-a,a)
    if g.shape[1] == len(beyond):
        return np.concatenate([z, g @ np.linalg.qr(beyond)[0].T], axis=1)
    seen = z @ beyond.T  # (M-1,r-a)
    return np.concatenate([z, g @ np.linalg.cholesky(seen @ seen.T).T @ np.linalg.pinv(seen).T], axis=1)


@pytest.mark.parametrize("rank, long", [(0, 0.0), (1, 1.0), (1, 1e-160), (1, 1e100), (3, 1.0)])
def test_keys_that_fresh_queries_see_in_few_directions(worst, rank, long):
    """The Gram matrix of what a sample's queries see is then singular; where it is 0 attention is uniform."""
    s, rng = br.Setting(N=2, M=40, d=2000, d_h=100, C_p=3.0), br.make_rng(3)
    U, R = np.zeros((s.T, 201)), rng.standard_normal((201, 201)) / 40
    R[:, 100:-1] = long * (rng.standard_normal((201, rank)) @ rng.standard_normal((rank, 100)))
    model = law.LawModel(s, U, R)
    noise = model.fresh_noise()
    assert noise.beyond(39) == 39 < noise.B.shape[1]
    y, x = np.ones(50), rng.standard_normal((50, 39, len(noise.B) + 39))
    f = model.outputs(y, x, noise)
    assert np.isfinite(f).all() and f.std() > 0
    if long < 1e-100:
        values = x[:, :, : len(noise.B)] @ noise.linear[:, -5] * s.sigma_p * np.array([3.0] + [1.0] * 38)
        assert worst(f, values.sum(axis=1) / 40) < 1e-12


def test_fresh_samples_in_pieces_are_those_drawn_one_by_one(monkeypatch):
    run = train_in_law(BASE.replace(max_steps=5), br.make_rng(0))
    whole = run.model.sample_outputs(101, br.make_rng(1))
    monkeypatch.setattr(fresh, "TOKENS_AT_ONCE", 1)
    for one, other in zip(whole, run.model.sample_outputs(101, br.make_rng(1)), strict=True):
        assert np.allclose(one, other, rtol=1e-12)
    assert abs(whole[0].sum()) == 1 and whole[1].std() > 0.1


def test_wide_queries_change_nothing_but_the_last_bits(worst):
    """d_h = 60 > 4T = 56: the run in 28 columns against the uncompressed equations, on the same draw."""
    s = br.Setting(N=4, M=4, d=200, d_h=60, snr=4.0, sigma_V=0.3, max_steps=60)
    run, drawn = train_in_law(s, br.make_rng(0)), law.LawSpace(s, br.make_rng(0))
    assert drawn.rows.shape == (14, 2 * 28 + 1)
    W_Q, W_K, v = drawn.W[:, :60], drawn.W[:, 60:-1], drawn.W[:, -1:]
    theta = Parameters(W_Q, W_K, v / s.w_O_norm, np.array([s.w_O_norm]))
    plain = proof.ReferenceProofSpace(theta, drawn.Z, drawn.index, drawn.y)
    losses, *_ = descend(plain, eta=s.eta, epsilon=s.epsilon, max_steps=60)
    assert losses[-1] < 0.9 * losses[0]
    assert np.allclose(run.losses, losses, rtol=1e-11, atol=0)
    U = side_by_side(plain.parameters())
    assert worst(run.model.U, U) < 1e-11
    model = run.model._replace(U=U)
    assert np.isclose(run.test_loss(200, br.make_rng(1)), model.test_loss(200, br.make_rng(1)), rtol=1e-9)


def test_the_standard_error_is_the_spread_of_the_mean():
    s = BASE.replace(balanced=False)
    run = train_in_law(s, br.make_rng(0))
    for estimate in (run.test_loss, run.error_rate):
        means, errors = np.array([estimate(100, br.make_rng(1, (k,)), return_se=True) for k in range(400)]).T
        assert 0.85 < means.std() / errors.mean() < 1.15
        assert estimate(50, br.make_rng(2)) == estimate(50, br.make_rng(2), return_se=True)[0]
    assert 0 < run.error_rate(200, br.make_rng(3)) < 1 and isinstance(run.test_loss(1, br.make_rng(3)), float)
    assert np.isnan(run.test_loss(1, br.make_rng(3), return_se=True)[1])


def test_test_loss_and_error_rate_are_the_means_over_the_fresh_samples():
    run = train_in_law(BASE, br.make_rng(0))
    y, f = run.model.sample_outputs(501, br.make_rng(1))
    assert np.isclose(run.test_loss(501, br.make_rng(1)), np.log(1 + np.exp(-y * f)).mean(), rtol=1e-12)
    assert run.error_rate(501, br.make_rng(1)) == np.mean(np.sign(f) != y) != np.mean(np.sign(f) == y)


def test_observe_sees_the_model_of_that_step():
    s = br.Setting(N=4, M=4, d=10**6, d_h=5, snr=30.0, max_steps=400)
    run = train_in_law(
        s,
        br.make_rng(0),
        record_every=100,
        observe=lambda model: (model, model.test_loss(100, br.make_rng(1))),
    )
    assert [r.step for r in run.records] == list(range(0, run.steps, 100)) + [run.steps]
    models, losses = zip(*(r.observed for r in run.records))
    assert all((a == b).all() for a, b in zip(models[-1][1:], run.model[1:])) and losses[-1] == run.test_loss(
        100, br.make_rng(1)
    )
    assert abs(losses[0] - np.log(2)) < 0.01 and losses[-1] < 0.1  # from nothing known to learned
    early = train_in_law(s.replace(max_steps=100), br.make_rng(0))
    assert (early.model.U == models[1].U).all() and early.records == []


def test_a_run_needs_no_more_memory_at_large_d():
    s = br.Setting(N=20, M=16, d_h=64, max_steps=20)
    peaks = []
    for d in (1024, 10**9):
        tracemalloc.start()
        run = train_in_law(s.replace(d=d), br.make_rng(0))
        run.test_loss(500, br.make_rng(1))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert run.steps == 20 and np.isfinite(run.losses).all()
    assert max(peaks) < 40e6 and peaks[1] < 1.01 * peaks[0]


def test_the_same_seed_gives_the_same_run_and_d_hardly_matters_when_large():
    s = br.Setting(N=6, M=4, d=10**6, d_h=8, snr=40.0)
    runs = [train_in_law(s.replace(d=d), br.make_rng(0)) for d in (10**6, 10**6, 2**53)]
    assert (runs[0].losses == runs[1].losses).all() and runs[0].converged
    assert runs[0].test_loss(99, br.make_rng(1)) == runs[1].test_loss(99, br.make_rng(1))
    assert abs(runs[2].steps / runs[0].steps - 1) < 0.02


@pytest.mark.parametrize(
    "arguments, match",
    [
        (
            dict(s=BASE.replace(d=19)),
            r"^d must be at least T = 2 \+ N \(M-1\) = 20 to draw N=6, M=4 in law, got d=19",
        ),
        (dict(s=3), "^s must be a Setting"),
        (dict(s=BASE.replace(init="uniform")), "^init must be 'gaussian' .*got 'uniform'.*init=\"gaussian\""),
        (dict(rng=0), "^rng must be"),
        (dict(record_every=0), "^record_every"),
        (dict(observe=print), "^observe must be a function"),
        (dict(observe=3, record_every=1), "^observe must be a function"),
        (dict(s=BASE.replace(N=10**6, d=10**8)), "^T=3000002 needs .* GiB"),
        (dict(s=BASE.replace(d_h=10**7)), "^d_h=10000000 needs .* GiB"),
    ],
)
def test_bad_arguments_are_named_before_any_work(arguments, match):
    rng = br.make_rng(0)
    with pytest.raises((TypeError, ValueError), match=match):
        train_in_law(**{"s": BASE, "rng": rng, **arguments})
    assert rng.bit_generator.state == br.make_rng(0).bit_generator.state  # nothing was drawn


def test_bad_arguments_of_the_test_loss_are_named():
    run = train_in_law(BASE.replace(max_steps=1), br.make_rng(0))
    for bad, match in (
        ((0, br.make_rng(0)), "^n must be"),
        ((5, 7), "^rng must be"),
        ((5, br.make_rng(0), 1), "^return_se must be"),
    ):
        for estimate in (run.test_loss, run.error_rate, run.model.test_loss):
            with pytest.raises((TypeError, ValueError), match=match):
                estimate(*bad)


def test_a_run_that_diverges_says_where():
    with np.errstate(all="ignore"), pytest.raises(br.DivergenceError, match=r"at step \d+ with eta=1e\+200"):
        train_in_law(BASE.replace(eta=1e200), br.make_rng(0))
