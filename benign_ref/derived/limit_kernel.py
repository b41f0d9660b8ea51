"""L2-L4 in numba: the twin of limit.py, by types of tokens, without a matrix of a sample's M tokens.

Rows are the k types s, 2, i (no i if m = 0); columns are s, 2, i and OTHER: a small token sees itself (column
i) otherwise than the other small tokens of its sample. A weight says how many tokens a column stands for, 0
where there is none. The step is nowhere dense: the largest matrix is 3 x 4, and the 34 numbers are written
over in place.

As in engines/kernels.py, numba's cache on disk cannot be stale: these functions call nothing from other
modules, constants are arguments or stand here, and the tuples of limit.py are taken apart by position, as the
names of their fields are no part of what numba takes for their type.
"""

from math import exp, fabs, inf, isfinite, log1p, sqrt

import numpy as np

from ..engines.kernels import cached

SIGNAL, TWO, SMALL, OTHER = 0, 1, 2, 3
COLUMNS = 4  # a type of row sees so many kinds of tokens
MEAN, BETWEEN, WITHIN = 0, 1, 2  # of limit.Blocks
ROOM = 6  # matrices that a step keeps in each space


@cached
def row_weights(k, m):
    """(k,4): how many tokens of a column a token of a row's type sees. Rows s and 2: 1, 1, m, 0; row i: 1, 1,
    1, m-1.
    """
    weight = np.ones((k, COLUMNS))
    for j in range(k):
        weight[j, SMALL], weight[j, OTHER] = (1.0, m - 1.0) if j == SMALL else (float(m), 0.0)
    return weight


@cached
def logits(QK, n, m, P):
    """L2, entry by entry, into P (k,4), from the blocks of QK and with w = 1 - 1/n: P_ss = mean_ss, P_s2 =
    mean_s2/sqrt n, P_si = mean_si/sqrt(nm), and so in the first column; P_22 = mean_22/n + w between_22, P_2i
    = (mean_2i/n + w between_2i)/sqrt m, P_i2 alike; P_ii = (mean_ii/n + w between_ii)/m + within (1 - 1/m),
    P_ij = ... - within/m. What nobody sees is left alone: -inf, for `attend`.
    """
    k = len(QK[MEAN])
    root_n, root_m = sqrt(n), sqrt(m)
    for j in range(k):
        for l in range(k):
            P[j, l] = QK[MEAN][j, l] / (root_n if j > SIGNAL else 1.0) / (root_n if l > SIGNAL else 1.0)
            if n > 1 and j > SIGNAL and l > SIGNAL:
                P[j, l] += (1 - 1 / n) * QK[BETWEEN][j - 1, l - 1]
            P[j, l] = P[j, l] / (root_m if j == SMALL else 1.0) / (root_m if l == SMALL else 1.0)
    if m > 1:
        P[SMALL, OTHER] = P[SMALL, SMALL] - QK[WITHIN][0, 0] / m
        P[SMALL, SMALL] += QK[WITHIN][0, 0] * (1 - 1 / m)


@cached
def attend(P, weight, S):
    """M1: S[j,l], the attention of a token of type j on one token of column l, 0 where P is -inf; the sum of
    weight[j,l] S[j,l] over l is 1.
    """
    for j in range(len(P)):
        largest = np.max(P[j])
        total = 0.0
        for l in range(COLUMNS):
            S[j, l] = exp(P[j, l] - largest)
            total += weight[j, l] * S[j, l]
        for l in range(COLUMNS):
            S[j, l] /= total


@cached
def output_and_coupling(S, V, weight, M, D):
    """M1, M3: with o_j = sum_l weight S V the output of a row of type j, returns f = (1/M) sum o over the M
    rows; D = (1/M) S (V - o), V and o both less the value V_top that the row attends to most: where S_top is
    near 1, V_top - o would lose the digits of the difference.
    """
    last = len(V) - 1
    f = 0.0
    for j in range(len(S)):
        V_top = V[min(np.argmax(S[j]), last)]
        o_j = 0.0  # less V_top, as the weights of a row's S add up to 1
        for l in range(COLUMNS):
            o_j += weight[j, l] * S[j, l] * (V[min(l, last)] - V_top)
        for l in range(COLUMNS):
            D[j, l] = S[j, l] * (V[min(l, last)] - V_top - o_j) / M
        f += weight[SIGNAL, j] * (V_top + o_j)  # as many rows of a type as the signal sees columns of it
    return f / M


@cached
def coupling_blocks(D, g, n, m, mean, between, within):
    """L3, entry by entry: mean = g [n D_ss, sqrt n D_s2, sqrt(nm) D_si; ., D_22, sqrt m D_2i; ., ., D_ii +
    (m-1) D_ij], between = mean without its first row and column, within = g (D_ii - D_ij).
    """
    k = len(mean)
    root_n, root_m = sqrt(n), sqrt(m)
    for j in range(k):
        for l in range(k):
            mean[j, l] = g * D[j, l] * (root_m if (j == SMALL) != (l == SMALL) else 1.0)
            mean[j, l] = mean[j, l] * (root_n if j == SIGNAL else 1.0) * (root_n if l == SIGNAL else 1.0)
    if m > 0:
        mean[SMALL, SMALL] += g * (m - 1) * D[SMALL, OTHER]
        within[0, 0] = g * (D[SMALL, SMALL] - D[SMALL, OTHER])  # of no use where m = 1
    for j in range(TWO, k):  # to compile an assignment of slices, numba would take twice the time
        for l in range(TWO, k):
            between[j - TWO, l - TWO] = mean[j, l]


@cached
def entry(left, right, i, j):
    """(left right)_ij, for square matrices of one size."""
    total = 0.0
    for h in range(len(left)):
        total += left[i, h] * right[h, j]
    return total


@cached
def move_block(QK, QQ, KK, B, G, eta, work):
    """L4 in one space, in place. With H = eta B, hence GH^T = (HG)^T and H^TG = (GH)^T, it reads
    QK - (GH KK + QQ HG) + GH QK^T HG,   QQ - (E + E^T) + GH KK (GH)^T,   KK - (F + F^T) + (HG)^T QQ HG
    with E = GH QK^T and F = QK^T HG. work (ROOM,k,k): room for the products.
    """
    GH, HG, GH_KK, QQ_HG, E, F = work[0], work[1], work[2], work[3], work[4], work[5]
    k = len(QK)
    for i in range(k):
        for j in range(k):
            GH[i, j] = G[i] * (eta * B[i, j])
            HG[i, j] = (eta * B[i, j]) * G[j]
    for i in range(k):
        for j in range(k):
            GH_KK[i, j] = entry(GH, KK, i, j)
            QQ_HG[i, j] = entry(QQ, HG, i, j)
            E[i, j] = entry(GH, np.transpose(QK), i, j)
            F[i, j] = entry(np.transpose(QK), HG, i, j)
    for i in range(k):
        for j in range(k):
            QK[i, j] += entry(E, HG, i, j) - (GH_KK[i, j] + QQ_HG[i, j])
            QQ[i, j] += entry(GH_KK, np.transpose(GH), i, j) - (E[i, j] + E[j, i])
            KK[i, j] += entry(np.transpose(HG), QQ_HG, i, j) - (F[i, j] + F[j, i])


@cached
def move_values(S, weight, g, c, V):
    """L4 for the values, in place: V <- V - eta ||w_O||^2 Gb, b_j = (g/M) times the sum of S over the M rows,
    and n times that for V_s.
    """
    M, m, n, G, eta, w_O_squared = c
    for l in range(len(V)):
        column = 0.0
        for j in range(len(V)):
            column += weight[SIGNAL, j] * S[j, l]
        if l == SMALL:  # of the m rows of small tokens one is the token's own
            column += (m - 1) * (S[SMALL, OTHER] - S[SMALL, SMALL])
        V[l] -= eta * w_O_squared * G[l] * (n if l == SIGNAL else 1.0) * g / M * column


@cached
def advance(state, c, epsilon, losses):
    """GD in place on limit.State: losses[t] is L_S before step t. Takes at most len(losses) - 1 steps, fewer
    at a loss <= epsilon or not finite; returns how many.
    """
    QK, QQ, KK, V = state
    M, m, n, G, eta, _ = c
    k = len(V)
    weight, P = row_weights(k, m), np.full((k, COLUMNS), -inf)
    S, D = np.empty(P.shape), np.empty(P.shape)
    B = np.empty((k, k)), np.empty((k - 1, k - 1)), np.empty((1, 1))
    work = np.empty((ROOM, k, k)), np.empty((ROOM, k - 1, k - 1)), np.empty((ROOM, 1, 1))
    for t in range(len(losses)):
        logits(QK, n, m, P)
        attend(P, weight, S)
        f = output_and_coupling(S, V, weight, M, D)
        e = exp(-fabs(f))  # <= 1
        losses[t] = log1p(e) + max(-f, 0.0)
        if losses[t] <= epsilon or not isfinite(losses[t]) or t == len(losses) - 1:
            return t
        g = (-e if f >= 0 else -1.0) / (1 + e) / (2 * n)  # ell'(f)/N
        coupling_blocks(D, g, n, m, B[MEAN], B[BETWEEN], B[WITHIN])
        move_values(S, weight, g, c, V)
        for space in range(3):  # nothing moves in an empty one
            move_block(QK[space], QQ[space], KK[space], B[space], G[space:], eta, work[space])
