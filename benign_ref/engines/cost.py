"""What a run costs in each engine, counted in multiplications of the products that grow with T, N M or d."""

from .proof_space import columns_of_a_step

ASSUMED_STEPS = 100  # [C]: how long a run takes is not known before it has run


def products(s, T, steps):
    """{engine: multiplications} of `steps` steps at the sizes of Setting s with T different tokens.

    Parameters: rows = X W and dW = X^T drows in each step. Proof: the Gram matrix (one half of it), the rows
    at the start and the parameters at the end once, G C in each step.
    """
    width, narrow = 2 * s.d_h + 1, 2 * columns_of_a_step(T, s.d_h) + 1
    return {
        "parameters": 2 * s.N * s.M * s.d * width * steps,
        "proof": T * T * s.d // 2 + 2 * T * s.d * width + T * T * narrow * steps,
    }


def cheaper(s):
    """The engine that multiplies less over s.max_steps steps, or over ASSUMED_STEPS if these are fewer."""
    counted = products(s, s.T, min(s.max_steps, ASSUMED_STEPS))
    return min(counted, key=counted.get)
