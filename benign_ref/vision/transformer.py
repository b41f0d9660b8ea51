"""V1-V8: the vision transformer of Figure 2 [A] (mnist.py), forward and backward by hand [D], in NumPy. Read
it from top to bottom.

    B images a batch   P = 49 pixels a patch   M = 17 tokens: the class token, then 16 patches
    d = 64 width of a token   H = 4 heads of width d/H   w = 128 hidden width   10 classes

Every operation is a function that returns (output, back). Its forward lines stand first; in `back(d_output)`,
in reverse order, each gradient stands under the forward line that it differentiates. dx is the gradient of
the loss with respect to x, of x's shape. Nothing is checked here (public.py does that), and sizes
come from the arrays. Every operation carries complex arrays, for derivatives by complex step; all but GELU
carry arrays of objects too, for exact arithmetic (checks/exact.py).
"""

import math

import numpy as np
from numba import njit

SIZES = {"P": 49, "M": 17, "d": 64, "3d": 192, "w": 128, "classes": 10}
HEADS = 4
EPSILON = 1e-5  # under the root of the layer norm
BLOCK = {
    "ln1.g": "d", "ln1.b": "d", "qkv": "d,3d", "out.W": "d,d", "out.b": "d",
    "ln2.g": "d", "ln2.b": "d", "f1.W": "d,w", "f1.b": "w", "f2.W": "w,d", "f2.b": "d",
}  # fmt: skip
SHAPES = {
    "patch.W": "P,d", "patch.b": "d", "cls": "d", "pos": "M,d",
    **{f"{i}.{name}": shape for i in range(2) for name, shape in BLOCK.items()},
    "head1.W": "d,w", "head1.b": "w", "head2.W": "w,classes", "head2.b": "classes",
}  # fmt: skip


def init(rng):
    """theta(0) [A], the arrays of SHAPES, drawn in that order: linear layers uniform on +-1/sqrt(inputs),
    their biases too; class token and positions N(0,1); layer norms with scale 1 and shift 0.
    """
    theta = {}
    for name, axes in SHAPES.items():
        shape = tuple(SIZES[axis] for axis in axes.split(","))
        if name in ("cls", "pos"):
            theta[name] = rng.standard_normal(shape)
        elif ".ln" in name:
            theta[name] = np.full(shape, 1.0 if name.endswith(".g") else 0.0)
        else:
            if len(shape) == 2:
                inputs = shape[0]  # a bias follows its matrix
            theta[name] = rng.uniform(-1, 1, shape) / math.sqrt(inputs)
    return theta


def linear(x, W, b=0.0):
    """V1: y = x W + b. x (..., inputs), W (inputs, outputs), b (outputs,). back: dx, dW, db."""
    rows = x.reshape(-1, len(W))  # (R, inputs): every token of every image is a row of one product
    y = rows @ W + b  # (R, outputs)

    def back(dy):
        dy = dy.reshape(-1, W.shape[1])  # (R, outputs)
        # forward: y[r] = x[r] W + b, so dy[r] reaches W through x[r], and b as it is: dx, dW, db
        return (dy @ W.T).reshape(x.shape), rows.T @ dy, dy.sum(axis=0)

    return y.reshape(*x.shape[:-1], W.shape[1]), back


def patches(images, side):
    """(B, 28, 28) -> (B, 16, side^2): squares in reading order, each flattened row by row."""
    B, height, width = images.shape
    tiles = images.reshape(B, height // side, side, width // side, side)  # image, row of tiles, y, column, x
    return tiles.transpose(0, 1, 3, 2, 4).reshape(B, -1, side * side)


def embed(images, W, b, cls, pos):
    """V2: x = [cls; patches W + b] + pos, (B, M, d). back: dW, db, dcls, dpos; images are not trained."""
    y, back_linear = linear(patches(images, math.isqrt(len(W))), W, b)  # (B, M-1, d)
    tokens = np.concatenate([np.broadcast_to(cls, (len(y), 1, len(cls))), y], axis=1)  # (B, M, d)

    def back(dx):
        # forward: x = tokens + pos, one pos for all images; the class token has a position too
        dpos = dx.sum(axis=0)
        # forward: tokens[:, 1:] = patches W + b
        _, dW, db = back_linear(dx[:, 1:])
        # forward: tokens[:, 0] = cls, the same for every image: the sum over images
        dcls = dx[:, 0].sum(axis=0)
        return dW, db, dcls, dpos

    return tokens + pos, back


def layer_norm(x, g, b, epsilon=EPSILON):
    """V3: y = g z + b, z = (x - mean x) / sqrt(var x + epsilon), over the last axis, var with 1/d.
    back: dx, dg, db.
    """
    d = x.shape[-1]
    centred = x - x.sum(axis=-1, keepdims=True) / d  # (..., d)
    root = np.sqrt((centred * centred).sum(axis=-1, keepdims=True) / d + epsilon)  # (..., 1)
    z = centred / root
    y = g * z + b

    def back(dy):
        # forward: y = g z + b, with one g and one b for all rows
        rows = tuple(range(x.ndim - 1))
        dg, db, dz = (dy * z).sum(axis=rows), dy.sum(axis=rows), dy * g
        # forward: z = centred / root, and d root/d centred_i = centred_i / (d root) = z_i / d
        through_root = (dz * z).sum(axis=-1, keepdims=True) / d
        dcentred = (dz - z * through_root) / root
        # forward: centred = x - mean x, so the mean of dcentred goes. That of z is 0 already
        dx = dcentred - dcentred.sum(axis=-1, keepdims=True) / d
        return dx, dg, db

    return y, back


def softmax(Z):
    """e^{Z_j} / sum_i e^{Z_i} over the last axis; shifted by the largest Z, so that nothing overflows."""
    e = np.exp(Z - Z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(qkv, heads=HEADS):
    """V4: O = S V in every head, S = softmax(Q K^T / sqrt(d)); all heads side by side, (B, M, d). back: dqkv.

    qkv (B, M, 3d): q, then k, then v, in each the heads one after the other. The root is of the whole width
    d, as published [A], not of a head's d/H.
    """
    B, M, d = *qkv.shape[:2], qkv.shape[2] // 3
    Q, K, V = qkv.reshape(B, M, 3, heads, d // heads).transpose(2, 0, 3, 1, 4)  # each (B, H, M, d/H)
    root = math.sqrt(d)
    S = softmax(Q @ K.swapaxes(2, 3) / root)  # (B, H, M, M), rows sum to 1
    O = S @ V  # (B, H, M, d/H)  # noqa: E741 - the output's usual letter

    def back(dO):
        dO = dO.reshape(B, M, heads, d // heads).transpose(0, 2, 1, 3)  # (B, H, M, d/H)
        # forward: O = S V
        dS, dV = dO @ V.swapaxes(2, 3), S.swapaxes(2, 3) @ dO
        # forward: S = softmax(Z), row by row: dZ = (diag(S_l) - S_l S_l^T) dS_l. A shift of dS_l changes
        # nothing; by its entry at the largest S_lj, digits survive where S is nearly 0 or 1
        dS = dS - np.take_along_axis(dS, S.argmax(axis=-1)[..., None], axis=-1)
        dZ = S * (dS - (S * dS).sum(axis=-1, keepdims=True))
        # forward: Z = Q K^T / sqrt(d)
        dQ, dK = dZ @ K / root, dZ.swapaxes(2, 3) @ Q / root
        # forward: Q, K, V = the three parts of qkv, heads one after the other
        return np.stack([dQ, dK, dV]).transpose(1, 3, 0, 2, 4).reshape(qkv.shape)

    return O.transpose(0, 2, 1, 3).reshape(B, M, d), back


@njit
def _normal_cdf(x, Phi):
    """Phi[k] = erfc(-x[k] / sqrt 2) / 2; erfc(-a) is 1 + erf(a) without the cancellation at a < 0."""
    for k in range(len(x)):
        Phi[k] = 0.5 * math.erfc(-x[k] * math.sqrt(0.5))


def _bell(x):
    return np.exp(-0.5 * x * x) * (1.0 / math.sqrt(2.0 * math.pi))


def normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2. For complex x the same function by its series
    1/2 + phi(x) sum_n x^(2n+1) / (1 3 5 ... (2n+1)), for the complex step; beyond +-9 it is 0 or 1 to 1e-18.
    """
    if not np.iscomplexobj(x):
        Phi = np.empty(x.shape, x.dtype)
        _normal_cdf(x.reshape(-1), Phi.reshape(-1))
        return Phi
    near = np.abs(x.real) < 9
    term = total = inside = x * near
    for n in range(1, 200):
        term = term * inside * inside / (2 * n + 1)
        total = total + term
    return np.where(near, 0.5 + _bell(inside) * total, (1 + np.sign(x.real)) / 2)


def gelu(x):
    """V5: y = x Phi(x), GELU by erf. back: dx."""
    Phi = normal_cdf(x)

    def back(dy):
        # forward: y = x Phi(x), and Phi' = phi, the bell e^{-x^2/2} / sqrt(2 pi)
        return dy * (Phi + x * _bell(x))

    return x * Phi, back


def relu(x):
    """V6: y = max(x, 0). back: dx, 0 at the kink."""
    on = x.real > 0

    def back(dy):
        # forward: y = x where x > 0, else 0
        return np.where(on, dy, 0)

    return np.where(on, x, 0), back


def log_softmax(z):
    """V7: y = z - log sum_j e^{z_j} over the last axis. back: dz."""
    shifted = z - z.real.max(axis=-1, keepdims=True)

    def back(dy):
        # forward: y_i = z_i - log sum_j e^{z_j}, and d(log sum)/dz_i = e^{z_i} / sum_j e^{z_j}
        return dy - softmax(z) * dy.sum(axis=-1, keepdims=True)

    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), back


def in_a_row(p, x, *operations):
    """x through operations, one after the other, each a tuple of its function and of the names in p of what
    it takes beside x. back: dx, and the gradients by the same names.
    """
    backs = []
    for operation, *names in operations:
        x, back = operation(x, *(p[name] for name in names))
        backs.append(back)

    def back_through_all(dx):
        dp = {}
        # forward: x = operation(x, *parameters), the last one first
        for (_, *names), back in zip(operations[::-1], backs[::-1]):
            dx, *slopes = back(dx) if names else [back(dx)]
            dp |= zip(names, slopes)
        return dx, dp

    return x, back_through_all


def block(p, x):
    """V8: h = x + A(LN x), y = h + F(LN h), (B, M, d). p: the block's parameters, by the names in BLOCK.
    back: dx, and the gradients by the same names.
    """
    u, back_A = in_a_row(
        p, x, (layer_norm, "ln1.g", "ln1.b"), (linear, "qkv"), (attention,), (linear, "out.W", "out.b")
    )  # qkv is a matrix without a bias
    h = x + u
    u, back_F = in_a_row(
        p, h, (layer_norm, "ln2.g", "ln2.b"), (linear, "f1.W", "f1.b"), (gelu,), (linear, "f2.W", "f2.b")
    )

    def back(dy):
        # forward: y = h + F(LN h): dy goes both ways, through F and past it
        du, dp_F = back_F(dy)
        dh = dy + du
        # forward: h = x + A(LN x)
        du, dp_A = back_A(dh)
        return dh + du, dp_A | dp_F

    return h + u, back


def network(theta, images):
    """V8: the logits (B, 10): embedding, blocks, then the class token through linear, ReLU, linear. back: the
    gradients as a dict of theta's names.
    """
    embedding = "patch.W", "patch.b", "cls", "pos"
    x, back_embed = embed(images, *(theta[name] for name in embedding))
    back_blocks = []
    while f"{len(back_blocks)}.qkv" in theta:
        x, back_block = block({name: theta[f"{len(back_blocks)}.{name}"] for name in BLOCK}, x)  # (B, M, d)
        back_blocks.append(back_block)
    head = (linear, "head1.W", "head1.b"), (relu,), (linear, "head2.W", "head2.b")
    z, back_head = in_a_row(theta, x[:, 0], *head)  # (B, 10), of the class token alone

    def back(dz):
        # forward: z = head of x[:, 0]
        dx = np.zeros_like(x)
        dx[:, 0], dtheta = back_head(dz)
        for i in reversed(range(len(back_blocks))):
            dx, dp = back_blocks[i](dx)
            dtheta |= {f"{i}.{name}": value for name, value in dp.items()}
        dtheta |= zip(embedding, back_embed(dx))
        return {name: dtheta[name] for name in theta}

    return z, back


def objective(theta, images, labels):
    """V8: L = -(1/B) sum_b log softmax(logits_b)[label_b]. back: the gradients, a dict of theta's names."""
    z, back_network = network(theta, images)  # (B, 10)
    y, back_log_softmax = log_softmax(z)
    chosen = np.arange(len(y)), labels
    L = -y[chosen].sum() / len(y)

    def back():
        # forward: L = -(1/B) sum_b y[b, labels[b]]
        dy = np.zeros_like(y)
        dy[chosen] = -1.0 / len(y)
        return back_network(back_log_softmax(dy))

    return L, back
