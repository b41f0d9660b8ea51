"""The reference alone, in NumPy, to be read beside the proof. In this order:

setting.py     every size and scale
data.py        D1, the initialisation
model.py       M1-M3, forward
gradients.py   G1-G4, backward: each forward line above the gradient line that differentiates it
descent.py     GD
proof.py       P1-P4: the same run in the proof's coordinates
theorems.py    the Condition, T1-T3 as statements
"""

from .data import Dataset, init_parameters, make_rng, sample_dataset
from .descent import DivergenceError, ReferenceSpace, descend
from .model import Parameters
from .proof import ReferenceProofSpace
from .setting import Setting
from .theorems import T1, T2, T3, Clause

__all__ = [
    "T1", "T2", "T3", "Clause", "Dataset", "DivergenceError", "Parameters", "ReferenceProofSpace",
    "ReferenceSpace", "Setting", "descend", "init_parameters", "make_rng", "sample_dataset",
]  # fmt: skip
