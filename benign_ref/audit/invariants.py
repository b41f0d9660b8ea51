"""I1-I6: identities that any implementation of M1-M3 and G1-G4 must satisfy to rounding error [D]. For
anyone's model.

Each function takes what an implementation gave and returns one residual: the largest violation relative to
the largest of the terms that should cancel. Rounding is 1e-15 or so; a wrong sign, factor or transpose is of
order 1. The identities catch what a derivative check cannot (a wrong f whose gradient is right), and cost one
evaluation where a derivative check costs one for each entry.

    X (N,M,d)   y, f, g (N,)   S, D, P (N,M,M)   theta, grads = (W_Q (d,d_h), W_K (d,d_h), W_V (d,d_v), w_O
                (d_v,))
"""

import numpy as np

from .. import validate
from ..checks import relative_residual


def _relative(violation, *terms):
    """The largest violation relative to the largest term: the relative residual of the violation beside the
    terms, expected as 0 beside them. Raises Vacuous if all terms are 0.
    """
    beside = np.concatenate([np.ravel(term) for term in terms])
    violation = np.ravel(violation)
    return relative_residual(np.append(violation, beside), np.append(0 * violation, beside))


def _equal_sums(*terms):
    """How far the sums of three arrays of terms differ from each other, relative to the largest term."""
    first, second, third = (term.sum() for term in terms)
    return _relative(np.array([first - third, second - third, first - second]), *terms)


def _balance_after(before, after, step):
    """How far A^T A - B^T B, of a pair of weights before and after a step, moves by another amount than the
    same of the step.
    """
    (A, B), (A_2, B_2), (dA, dB) = before, after, step
    of_A, of_B = dA.T @ dA, dB.T @ dB
    change = (A_2.T @ A_2 - B_2.T @ B_2) - (A.T @ A - B.T @ B)
    return _relative(change - (of_A - of_B), of_A, of_B)


def rows_of_coupling(D):
    """I1 [D]: sum_j D_n[l,j] = 0 for every n, l. Adding one number to a row of logits changes no softmax."""
    return _relative(D.sum(axis=-1), D)


def degree_of_values(theta, grads, f, g):
    """I2 [D]: <dW_V, W_V> = <dw_O, w_O> = sum_n g_n f_n, with g = dL_S/df. f is linear in W_V, and in w_O."""
    return _equal_sums(grads[2] * theta[2], grads[3] * theta[3], g * f)


def degree_of_logits(theta, grads, g, D, P):
    """I3 [D]: <dW_Q, W_Q> = <dW_K, W_K> = sum_n g_n tr(D_n^T P_n). The logits P_n are linear in W_Q, and in
    W_K.
    """
    return _equal_sums(grads[0] * theta[0], grads[1] * theta[1], g[:, None, None] * D * P)


def balance_of_logits(before, after, grads, eta):
    """I4 [D]: W_Q^T W_Q - W_K^T W_K changes in one step by exactly eta^2 (dW_Q^T dW_Q - dW_K^T dW_K), so
    gradient flow conserves it.

    before, after: theta on either side of a GD step of size eta; grads: the gradients it used. The change is
    O(eta^2) and is found as a difference of numbers of order W^T W, so take eta large enough for a step to be
    comparable to the weights: a residual of rounding * (|W| / |eta grad|)^2 is no violation.
    """
    step = [eta * dW for dW in grads[:2]]  # eta^2 itself may overflow where gradients are tiny
    return _balance_after(before[:2], after[:2], step)


def balance_of_values(before, after, grads, eta):
    """I5 [D]: W_V^T W_V - w_O w_O^T changes by exactly eta^2 (dW_V^T dW_V - dw_O dw_O^T) when w_O is trained
    too. As balance_of_logits.
    """
    pairs = ([W[2], W[3][None]] for W in (before, after, [eta * dW for dW in grads]))  # w_O as a row
    return _balance_after(*pairs)


def symmetries(forward, theta, X, rng, scale=3.0):
    """I6 [D]: how far f = forward(theta, X) changes, as a dict, under what must not change it:

    "permutation"   of the tokens of every sample       x_l -> x_{pi(l)}
    "rotation"      of the token space                  x -> R x, W_Q, W_K, W_V -> R W
    "scaling"       of tokens against weights           x -> c x, W_Q, W_K, W_V -> W / c
    """
    validate.generator("rng", rng)
    W_Q, W_K, W_V, w_O = theta
    kind = getattr(type(theta), "_make", tuple)
    d = X.shape[-1]
    R = np.linalg.qr(rng.standard_normal((d, d)))[0]
    f = forward(theta, X)
    changed = {
        "permutation": forward(theta, np.array([X_n[rng.permutation(len(X_n))] for X_n in X])),
        "rotation": forward(kind([R @ W_Q, R @ W_K, R @ W_V, w_O]), X @ R.T),
        "scaling": forward(kind([W_Q / scale, W_K / scale, W_V / scale, w_O]), scale * X),
    }
    return {name: _relative(other - f, f) for name, other in changed.items()}


def flip(gradients, theta, X, y):
    """I6 [D]: (y, W_V) -> (-y, -W_V) leaves every loss of a run unchanged: dW_Q, dW_K stay, dW_V changes its
    sign (w_O fixed).

    gradients(theta, X, y) gives the four gradients; the residual is the worst of the three blocks.
    """
    W_Q, W_K, W_V, w_O = theta
    kind = getattr(type(theta), "_make", tuple)
    here, there = gradients(theta, X, y), gradients(kind([W_Q, W_K, -W_V, w_O]), X, -y)
    return max(_relative(there[b] - sign * here[b], here[b]) for b, sign in enumerate((1, 1, -1)))
