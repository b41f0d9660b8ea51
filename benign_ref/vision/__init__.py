"""The vision transformer of Figure 2, every gradient by hand: transformer.py, to be read from top to bottom;
public.py checks the arguments, and trains by Adam.

    from benign_ref import vision
    theta = vision.init(np.random.default_rng(0))  # a dict of 30 arrays, see SHAPES
    slopes = vision.gradients(theta, images, labels)  # images (B,28,28) in 0..1, labels (B,) from 0 to 9
    theta, losses = vision.train(theta, images, labels, np.random.default_rng(1), epochs=2)
"""

from .public import SHAPES, SIZES, forward, gradients, init, loss, train

__all__ = ["SHAPES", "SIZES", "forward", "gradients", "init", "loss", "train"]
