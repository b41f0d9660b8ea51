"""V9: Adam, written out, and the training of Figure 2 [A] (mnist.py): batches, reshuffled every epoch."""

import numpy as np

from .transformer import objective

RATE, BETA_1, BETA_2, EPSILON = 0.0005, 0.9, 0.999, 1e-8
EPOCHS, BATCH = 15, 100


def adam(theta, gradients, m, v, t, rate=RATE):
    """V9: step t = 1, 2, ... of Adam. theta, gradients, m, v: dicts of the same names; m and v begin at 0.

        m <- m + (1 - beta_1) (g - m)          the running mean of g; E m = (1 - beta_1^t) g for a constant g
        v <- v + (1 - beta_2) (g^2 - v)        of g^2, entry by entry
        theta <- theta - rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Returns the new theta, m, v; the old are left alone.
    """
    m = {name: m[name] + (1 - BETA_1) * (g - m[name]) for name, g in gradients.items()}
    v = {name: v[name] + (1 - BETA_2) * (g * g - v[name]) for name, g in gradients.items()}
    theta = {
        name: a - rate * (m[name] / (1 - BETA_1**t)) / (np.sqrt(v[name] / (1 - BETA_2**t)) + EPSILON)
        for name, a in theta.items()
    }
    return theta, m, v


def train(theta, images, labels, rng, epochs, batch, dtype):
    """Adam from theta over `epochs` shuffles of the images, in batches; the last of an epoch may be smaller.

    Returns theta, and of each epoch the mean over batches of the loss before the step, (epochs,). All
    arithmetic is in dtype.
    """
    theta = {name: a.astype(dtype) for name, a in theta.items()}
    m = v = {name: np.zeros_like(a) for name, a in theta.items()}
    images, losses = images.astype(dtype), np.zeros(epochs)
    for epoch in range(epochs):
        parts = np.split(rng.permutation(len(images)), range(batch, len(images), batch))
        for t, part in enumerate(parts, 1 + epoch * len(parts)):
            L, back = objective(theta, images[part], labels[part])
            theta, m, v = adam(theta, back(), m, v, t)
            losses[epoch] += L / len(parts)
    return theta, losses
