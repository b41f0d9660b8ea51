"""The step of gradient descent in JAX and in PyTorch, for the speed figure; neither needs to be installed."""

import os


def jax_step(s, data, theta, as_written=False):
    """JAX: jit of value_and_grad and the update together, the old weights given back to it. as_written: X W_V
    w_O from left to right (M1); otherwise X (W_V w_O), which is cheaper and what our engines do.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    def loss(weights, w_O, X, y):
        W_Q, W_K, W_V = weights
        S = jax.nn.softmax(jnp.einsum("nlh,njh->nlj", X @ W_Q, X @ W_K), axis=-1)
        c = X @ W_V @ w_O if as_written else X @ (W_V @ w_O)
        return jnp.logaddexp(0.0, -y * jnp.einsum("nlj,nj->n", S, c) / s.M).mean()

    def step(weights, w_O, X, y):
        value, gradient = jax.value_and_grad(loss)(weights, w_O, X, y)
        return value, [W - s.eta * dW for W, dW in zip(weights, gradient)]

    step = jax.jit(step, donate_argnums=0)
    X, y, w_O = jnp.asarray(data.X), jnp.asarray(data.y), jnp.asarray(theta.w_O)
    state = [[jnp.array(W) for W in theta[:3]]]

    def take():
        value, state[0] = jax.block_until_ready(step(state[0], w_O, X, y))
        return float(value)

    return take


def torch_step(s, data, theta):
    """PyTorch: eager autograd, the update in place; X (W_V w_O), the cheaper order."""
    import torch

    torch.set_num_threads(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    X, y, w_O = (torch.from_numpy(a) for a in (data.X, data.y, theta.w_O))
    weights = [torch.from_numpy(W.copy()).requires_grad_() for W in theta[:3]]

    def take():
        W_Q, W_K, W_V = weights
        S = torch.softmax((X @ W_Q) @ (X @ W_K).transpose(1, 2), dim=-1)
        f = (S @ (X @ (W_V @ w_O))[..., None])[..., 0].mean(dim=1)
        value = torch.nn.functional.softplus(-y * f, threshold=1e9).mean()
        value.backward()
        with torch.no_grad():
            for W in weights:
                W -= s.eta * W.grad
                W.grad = None
        return value.item()

    return take
