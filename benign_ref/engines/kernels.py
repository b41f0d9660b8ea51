"""The attention part of M1-M3 and G1-G4 in numba, once, for every engine.

    rows (R,2d_h+1)    projected tokens side by side, [q | k | c]: q = x W_Q, k = x W_K, c = x W_V w_O
    tokens (N,M)       which row is token l of sample n; samples may share rows
    drows (R,2d_h+1)   the cotangents [dq | dk | dc], dL_S/dq and so on; a shared row collects from every
                       sample that holds it

The parameter engine multiplies the cotangents by X^T, the proof engine by G; both products are BLAS's. These
kernels call nothing from other modules and take every constant as an argument, so that numba's cache on disk
can never be stale. The loops are arranged so that the innermost one writes independent entries: it vectorises
without reordering a sum, and the bits do not depend on luck.
"""

from math import exp, fabs, log1p

import numpy as np
from numba import njit


def _cached(function):
    try:
        return njit(cache=True)(function)
    except (
        RuntimeError
    ):  # no folder may be written, neither the package's nor the user's: compile in each process
        return njit(function)


@_cached
def gather(rows, picked, first, out):
    """out[i,:] = rows[picked[i], first : first + width], out (M,width): one sample's projected tokens side by
    side, E_n q.
    """
    for i in range(len(picked)):
        for h in range(out.shape[1]):
            out[i, h] = rows[picked[i], first + h]


@_cached
def scatter_add(source, picked, first, rows):
    """rows[picked[i], first : first + width] += source[i,:], the transpose of `gather`: E_n^T."""
    for i in range(len(picked)):
        for h in range(source.shape[1]):
            rows[picked[i], first + h] += source[i, h]


@_cached
def multiply_add(A, B, out):
    """out[l,:] += sum_j A[l,j] B[j,:]. A (L,J), B (J,d_h); four j at a time, so that a row of `out` is loaded
    a fourth as often.
    """
    L, J = (
        A.shape
        # on a processor with AVX-512 the generated loop over h multiplies and adds eight at a time (vmulpd,
        # vaddpd on zmm)
    )
    for l in range(L):
        for j in range(0, J - 3, 4):
            a0, a1, a2, a3 = A[l, j], A[l, j + 1], A[l, j + 2], A[l, j + 3]
            for h in range(B.shape[1]):
                out[l, h] += (a0 * B[j, h] + a1 * B[j + 1, h]) + (a2 * B[j + 2, h] + a3 * B[j + 3, h])
        for j in range(J - J % 4, J):
            for h in range(B.shape[1]):
                out[l, h] += A[l, j] * B[j, h]


@_cached
def transpose(A, out):
    """out = A^T."""
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            out[j, i] = A[i, j]


@_cached
def attend(q, k_T, S):
    """F1, F2: S[l,:] = softmax over j of sum_h q[l,h] k_T[h,j]. q (M,d_h), k_T (d_h,M), S (M,M)."""
    M = len(S)
    S[:] = 0.0
    multiply_add(q, k_T, S)
    for l in range(M):
        largest = S[l, 0]
        for j in range(M):
            largest = max(largest, S[l, j])
        total = 0.0
        for j in range(M):
            S[l, j] = exp(S[l, j] - largest)
            total += S[l, j]
        for j in range(M):
            S[l, j] /= total


@_cached
def outputs(rows, tokens, f):
    """M1: f[n] = (1/M) sum_l S_n[l,:] c_n, written into f (N,)."""
    N, M = tokens.shape
    d_h = rows.shape[1] // 2
    q_n, k_n, c_n = np.empty((M, d_h)), np.empty((M, d_h)), np.empty((M, 1))
    k_T, S = np.empty((d_h, M)), np.empty((M, M))
    for n in range(N):
        gather(rows, tokens[n], 0, q_n)
        gather(rows, tokens[n], d_h, k_n)
        gather(rows, tokens[n], 2 * d_h, c_n)
        transpose(k_n, k_T)
        attend(q_n, k_T, S)
        f[n] = 0.0
        for l in range(M):
            for j in range(M):
                f[n] += S[l, j] * c_n[j, 0]
        f[n] /= M


@_cached
def loss_and_cotangents(rows, tokens, y, f, drows):
    """M1, M2, then B1-B5: returns L_S and writes f (N,) and drows (R,2d_h+1), whatever they held before."""
    N, M = tokens.shape
    d_h = rows.shape[1] // 2
    q_n, k_n, c_n = np.empty((M, d_h)), np.empty((M, d_h)), np.empty((M, 1))
    dq_n, dk_n, dc_n = np.empty((M, d_h)), np.empty((M, d_h)), np.empty((M, 1))
    k_T, S, D, D_T = np.empty((d_h, M)), np.empty((M, M)), np.empty((M, M)), np.empty((M, M))
    drows[:] = 0.0
    loss = 0.0
    for n in range(N):
        gather(rows, tokens[n], 0, q_n)
        gather(rows, tokens[n], d_h, k_n)
        gather(rows, tokens[n], 2 * d_h, c_n)
        transpose(k_n, k_T)
        attend(q_n, k_T, S)
        f[n] = 0.0
        for l in range(M):
            top = 0  # the row's most attended token: c less its value keeps the digits of D (model.shifted)
            for j in range(M):
                if S[l, j] > S[l, top]:
                    top = j
            c_top, o_l = c_n[top, 0], 0.0
            for j in range(M):
                o_l += S[l, j] * (c_n[j, 0] - c_top)
            for j in range(M):
                D[l, j] = (
                    S[l, j] * (c_n[j, 0] - c_top - o_l) / M
                )  # M3: (1/M) J(phi) c = (1/M) phi (c - phi.c)
            f[n] += c_top + o_l
        f[n] /= M
        z = y[n] * f[n]
        e = exp(-fabs(z))  # <= 1
        loss += (log1p(e) + max(-z, 0.0)) / N
        g_n = y[n] * (-e if z >= 0 else -1.0) / (1.0 + e) / N  # B1
        for j in range(M):
            a_j = 0.0
            for l in range(M):
                a_j += S[l, j] / M
                D[l, j] *= g_n
            dc_n[j, 0] = g_n * a_j  # B2
        transpose(D, D_T)
        dq_n[:] = 0.0
        dk_n[:] = 0.0
        multiply_add(D, k_n, dq_n)  # B5: dq = D k
        multiply_add(D_T, q_n, dk_n)  # B5: dk = D^T q
        scatter_add(dq_n, tokens[n], 0, drows)
        scatter_add(dk_n, tokens[n], d_h, drows)
        scatter_add(dc_n, tokens[n], 2 * d_h, drows)
    return loss


@_cached
def advance(rows, moved, coefficients, drows, eta, w_O_norm2):
    """P1-P3: rows -= eta moved, coefficients -= eta drows, all (R,2d_h+1); moved = G drows. The last column
    of `rows`, V, moves ||w_O||^2 as far.
    """
    last = rows.shape[1] - 1
    for i in range(len(rows)):
        for h in range(rows.shape[1]):
            coefficients[i, h] -= eta * drows[i, h]
        for h in range(last):
            rows[i, h] -= eta * moved[i, h]
        rows[i, last] -= eta * w_O_norm2 * moved[i, last]
