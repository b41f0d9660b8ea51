"""The derivations to walk through, the exercises, and what makes pages of them."""
