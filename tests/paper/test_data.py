import numpy as np
import pytest

import benign_ref as br


def test_tokens_are_D1_signal_first_noise_off_both_signals():
    s = br.Setting(N=9, M=5, d=40, snr=3.0, sigma_p=0.7)
    X, y, plus, minus = br.sample_dataset(s, br.make_rng(1))
    assert X.shape == (9, 5, 40) and y.shape == (9,)
    assert (
        plus @ minus == 0
        and np.isclose(plus @ plus, s.mu_norm**2)
        and np.isclose(minus @ minus, s.mu_norm**2)
    )
    for X_n, y_n in zip(X, y):
        assert (X_n[0] == (plus if y_n > 0 else minus)).all()
    assert np.abs(X[:, 1:] @ plus).max() < 1e-12 and np.abs(X[:, 1:] @ minus).max() < 1e-12


def test_noise_has_the_stated_covariance_and_token_2_is_C_p_times_louder():
    s = br.Setting(M=4, d=6, C_p=3.0, sigma_p=0.5)
    X = br.sample_dataset(s, br.make_rng(2), n=20_000).X
    Pi = np.diag([0.0, 0, 1, 1, 1, 1])
    for token, sigma in ((1, 1.5), (2, 0.5), (3, 0.5)):
        covariance = X[:, token].T @ X[:, token] / len(X)
        assert np.abs(covariance / sigma**2 - Pi).max() < 0.05  # 5 standard errors of a variance
    assert np.abs(X[:, 1].T @ X[:, 2]).max() / len(X) < 0.05 * 0.75  # independent tokens


def test_projection_is_off_any_pair_of_orthogonal_signals(monkeypatch):
    from benign_ref.paper import data

    s = br.Setting(N=3, M=3, d=8, snr=2.0)
    a, b = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 2)))[0].T * s.mu_norm
    monkeypatch.setattr(data, "signals", lambda s: (a, b))
    X = br.sample_dataset(s, br.make_rng(0)).X
    assert (
        np.abs(X[:, 1:] @ a).max() < 1e-14
        and np.abs(X[:, 1:] @ b).max() < 1e-14
        and np.abs(X[:, 1:]).max() > 0.1
    )


def test_labels_are_balanced_or_rademacher():
    s = br.Setting(N=10, d=3, M=2)
    assert all(br.sample_dataset(s, br.make_rng(k)).y.sum() == 0 for k in range(5))
    odd = {br.sample_dataset(s, br.make_rng(k), n=3).y.sum() for k in range(20)}
    assert odd == {-1.0, 1.0}
    sums = [br.sample_dataset(s.replace(balanced=False), br.make_rng(k), n=100).y.sum() for k in range(200)]
    assert 7 < np.std(sums) < 13 and abs(np.mean(sums)) < 3  # standard deviation sqrt(100)


def test_initial_parameters_have_the_stated_scales():
    s = br.Setting(d=400, d_h=30, d_v=20, sigma_h=0.3, sigma_V=0.2, w_O_norm=1.7)
    theta = br.init_parameters(s, br.make_rng(3))
    assert [W.shape for W in theta] == [(400, 30), (400, 30), (400, 20), (20,)]
    assert np.allclose([W.std() for W in theta[:3]], [0.3, 0.3, 0.2], rtol=0.03)
    assert np.isclose(np.linalg.norm(theta.w_O), 1.7)


def test_the_same_seed_gives_the_same_bits_and_spawn_keys_give_others():
    s = br.Setting(N=2, M=2, d=5)
    draw = lambda *key: br.sample_dataset(s, br.make_rng(*key)).X  # noqa: E731
    assert (draw(4) == draw(4)).all() and (draw(4, (1, 2)) == draw(4, (1, 2))).all()
    one, other = draw(4, (1,))[:, 1:, 2:], draw(4, (2,))[:, 1:, 2:]  # noise, off the signals
    assert not (one == other).any() and (draw(4) != draw(5)).any()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda s: br.sample_dataset(s, 0), "^rng "),
        (lambda s: br.sample_dataset(s, br.make_rng(0), n=0), "^n "),
        (lambda s: br.sample_dataset("s", br.make_rng(0)), "^s "),
        (lambda s: br.init_parameters(s, np.random), "^rng "),
        (lambda s: br.make_rng(-1), "^seed "),
        (lambda s: br.make_rng(0.5), "^seed "),
        (lambda s: br.make_rng(0, [0.5]), "^spawn_key "),
        (lambda s: br.sample_dataset(s, br.make_rng(0), n=10**12), "^n=1000000000000 needs .* GiB"),
        (lambda s: br.init_parameters(s.replace(d=10**12), br.make_rng(0)), "^d=1000000000000 needs"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises((TypeError, ValueError), match=match):
        call(br.Setting(N=2, M=3, d=5))


def test_full_noise_has_the_identity_as_covariance_signals_included():
    s = br.Setting(M=4, d=6, C_p=3.0, sigma_p=0.5, noise="full")
    X = br.sample_dataset(s, br.make_rng(2), n=20_000).X
    for token, sigma in ((1, 1.5), (2, 0.5), (3, 0.5)):
        assert np.abs(X[:, token].T @ X[:, token] / len(X) / sigma**2 - np.eye(6)).max() < 0.05
    assert set(np.unique(X[:, 0, 2:])) == {0.0}  # the signal token is the signal still


def test_uniform_starts_have_the_stated_deviations_and_widths():
    s = br.Setting(d=400, d_h=30, d_v=20, sigma_h=0.3, sigma_V=0.2, w_O_norm=1.7, init="uniform")
    theta = br.init_parameters(s, br.make_rng(3))
    for W, deviation in zip(theta, (0.3, 0.3, 0.2, 1.7 / 20**0.5)):
        assert np.abs(W).max() <= 3**0.5 * deviation and np.abs(W).max() > 1.4 * deviation
    assert np.allclose([W.std() for W in theta[:3]], [0.3, 0.3, 0.2], rtol=0.03)
    squares = [np.sum(br.init_parameters(s, br.make_rng(k)).w_O ** 2) for k in range(300)]
    assert np.isclose(np.mean(squares), 1.7**2, rtol=0.05) and np.std(squares) > 0.1
