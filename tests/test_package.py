import json
import subprocess
import sys
from pathlib import Path

import benign_ref as br
from benign_ref.engines import kernels

ROOT = Path(__file__).resolve().parent.parent
LOOK = """
import json, sys
import benign_ref
for name in benign_ref.__all__:
    getattr(benign_ref, name)
from numba.core.dispatcher import Dispatcher
compiled = [
    f"{m}.{name}" for m, module in list(sys.modules.items()) if m.startswith("benign_ref")
    for name, value in vars(module).items() if isinstance(value, Dispatcher) and value.signatures
]
print(json.dumps([compiled, [m for m in ("matplotlib", "multiprocessing.pool") if m in sys.modules]]))
"""


def test_import_compiles_nothing_and_loads_no_more_than_it_needs():
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout) == [[], []]


def test_public_names_are_all_there_and_documented():
    names = """Setting make_rng sample_dataset Dataset init_parameters Parameters forward attention loss
        gradients train test_loss error_rate train_in_law train_in_limit phase_diagram
        boundary_constant DivergenceError"""
    for name in names.split():
        assert getattr(br, name).__doc__, name


def test_a_kernel_that_no_folder_can_cache_still_compiles():
    """As in an install that may not be written: numba then refuses to cache; the kernel must work all the
    same.
    """
    space = {}
    # a function without a file has no folder to be cached in
    exec("def double(x):\n    return 2 * x\n", space)  # noqa: S102
    assert kernels.cached(space["double"])(4) == 8
