"""LAW [D], the last step: fresh data of a model trained in law (law.py, whose letters these are).

Given W(t), the (q,k,V) of a fresh noise token is W(t)^T xi, xi = sigma x with x ~ N(0, I) independent of all
that was drawn: N(0, sigma^2 C), with C = U_n^T U_n + Gamma and U_n the rows of U(t) that noise sees: those
beyond the signals', or (full noise) all. Fresh signal tokens are the signals: rows ||mu|| U(t)[:2].

Only logits and values are wanted. Take the columns in the order [W_Q | v | W_K q_+ | W_K q_- | W_K], q_+ and
q_- being the signals' queries, and let root be upper triangular, root^T root their Gram: a fresh token is
sigma x root, x standard Gaussian. Its query, its value and its logits under the signals' queries see the
first a = d_h+3 coordinates of x alone, z; its key z K_1 + x' K_2 sees the others, x', too. With the query
z Q, and times sigma_l sigma_j,

    <q_l, k_j> = z_l Q K_1^T z_j + z_l Q K_2^T x'_j,

and nothing else sees x'. By rotating x', Q K_2^T becomes B, lower triangular. Where x' has many coordinates,
take the orthonormal basis that Gram-Schmidt makes of a sample's M-1 vectors B^T z_l: in it x'_j has
coordinates g_j ~ N(0, I), independent of every z, and z_l B x'_j = (L g_j)_l, where L is lower triangular and
L L^T = z B B^T z^T. So g_j is drawn for x'_j. Where x' has few, L = z B, and g_j is x'_j itself.
"""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np

from .. import validate
from ..paper.data import sample_labels
from ..paper.model import logistic, softmax
from ..paper.setting import Setting

BLOCK = 128  # columns of a product with a triangular matrix that are taken together
TOKENS_AT_ONCE = 1024  # fresh tokens held together; it bounds the memory a test takes
EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


def noise_levels(s, n):
    """sigma_i (n(M-1),) of n samples: C_p sigma_p for the paper's token 2 of each, sigma_p for its tokens
    3..M (D1).
    """
    return np.tile(s.sigma_p * np.array([s.C_p] + [1.0] * (s.M - 2)), n)


class FreshNoise(NamedTuple):
    """root (r,p+2), r <= p+2. By its first a = min(r,d_h+3) rows, what z is multiplied by: linear (a,a+5),
    which is Q K_1^T, then the value, the logits under the signals' queries, those on their keys;
    and B (a,r-a).
    """

    root: np.ndarray
    linear: np.ndarray
    B: np.ndarray

    def beyond(self, m):
        """The length of g where a sample has m noise tokens."""
        return m if self.B.shape[1] > 2 * m else self.B.shape[1]


def times_lower(z, B):
    """z B for a lower triangular B, by blocks of columns, without most of the zeros."""
    blocks = [z[:, i:] @ B[i:, i : i + BLOCK] for i in range(0, B.shape[1], BLOCK)]
    return np.concatenate([np.empty((len(z), 0)), *blocks], axis=1)


class LawModel(NamedTuple):
    """A trained model as far as fresh data can see it. U (T,p): W(t) in the tokens' span; R: root of the
    residual's Gram.
    """

    setting: Setting
    U: np.ndarray
    R: np.ndarray

    def signals(self):
        """q (2,d_h), k (2,d_h), V (2,) of mu_plus and mu_minus."""
        rows, h = self.setting.mu_norm * self.U[:2], self.setting.d_h
        return rows[:, :h], rows[:, h:-1], rows[:, -1]

    def fresh_noise(self):
        """What turns standard Gaussian coordinates into logits and values of fresh noise, a FreshNoise."""
        h, seen = self.setting.d_h, self.U if self.setting.noise == "full" else self.U[2:]
        W, (q, k, _) = np.concatenate([seen, self.R]), self.signals()
        W_Q, W_K, v = W[:, :h], W[:, h:-1], W[:, -1:]
        root = np.linalg.qr(np.concatenate([W_Q, v, W_K @ q.T, W_K], axis=1), mode="r")
        first, K_2 = root[: h + 3], root[h + 3 :, h + 3 :]
        Q, K_1 = first[:, :h], first[:, h + 3 :]
        linear = np.concatenate([Q @ K_1.T, first[:, h : h + 3], Q @ k.T], axis=1)
        return FreshNoise(root, linear, np.linalg.qr(K_2 @ Q.T, mode="r").T)

    def outputs(self, y, x, noise):
        """M1: f (n,) of fresh samples with labels y (n,), whose noise tokens have z (a,) and g side by side
        in x (n,M-1,.).
        """
        s, a, n, which = self.setting, len(noise.B), np.arange(len(y)), np.where(y == 1, 0, 1)
        (q, k, V), sigma = self.signals(), noise_levels(s, 1)[:, None]
        z_T, g_T = x[:, :, :a].swapaxes(1, 2), x[:, :, a:].swapaxes(1, 2)
        flat = x.reshape(-1, x.shape[2])[:, :a]  # one product for all samples
        left, seen = np.split((flat @ noise.linear).reshape(len(y), -1, a + 5), [a], axis=2)
        L = times_lower(flat, noise.B).reshape(len(y), s.M - 1, -1)
        if L.shape[2] > g_T.shape[1]:
            C = L @ L.swapaxes(1, 2)
            C += np.eye(s.M - 1) * (s.M**2 * EPS * C + TINY)  # so that rounding leaves it positive definite
            L = np.linalg.cholesky(C)
        P = np.empty((len(y), s.M, s.M))
        P[:, 0, 0] = np.einsum("ch,ch->c", q, k)[which]
        P[:, 0, 1:] = sigma.T * seen[n, :, 1 + which]
        P[:, 1:, 0] = sigma.T * seen[n, :, 3 + which]
        P[:, 1:, 1:] = sigma * sigma.T * (left @ z_T + L @ g_T)
        values = np.concatenate([V[which, None], sigma.T * seen[:, :, 0]], axis=1)  # (n,M)
        return (softmax(P) @ values[:, :, None]).reshape(values.shape).mean(axis=1)

    def sample_outputs(self, n, rng):
        """Labels y (n,) and outputs f (n,) on n fresh samples of D1. Raises TypeError or ValueError for a bad
        argument.
        """
        n, rng, s = validate.integer("n", n, 1), validate.generator("rng", rng), self.setting
        noise, y = self.fresh_noise(), sample_labels(s, rng, n)
        width, at_once = len(noise.B) + noise.beyond(s.M - 1), max(1, TOKENS_AT_ONCE // s.M)
        parts = np.split(y, range(at_once, n, at_once))
        f = [self.outputs(part, rng.standard_normal((len(part), s.M - 1, width)), noise) for part in parts]
        return y, np.concatenate(f)

    def test_loss(self, n, rng, return_se=False):
        """L_D (M2): the mean logistic loss on n fresh samples, a float; with return_se=True (mean, its
        standard error; nan for n=1).

        Where labels are balanced the standard error leaves that out, and is a little too large.
        """
        return self._mean(logistic, n, rng, return_se)

    def error_rate(self, n, rng, return_se=False):
        """The 0-1 error: the fraction of n fresh samples with y f <= 0; with return_se=True as
        `test_loss`.
        """
        return self._mean(lambda z: (z <= 0).astype(float), n, rng, return_se)

    def _mean(self, value, n, rng, return_se):
        return_se = validate.boolean("return_se", return_se)
        y, f = self.sample_outputs(n, rng)
        values = value(y * f)
        if not return_se:
            return float(values.mean())
        return float(values.mean()), float(values.std(ddof=1) / sqrt(n)) if n > 1 else nan
