"""benign_ref: a reference to check the theory of benign overfitting in a softmax-attention model against.

    import benign_ref as br
    s = br.Setting(N=10, snr=16.0)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    run = br.train(s, data, theta)

The mathematics is in paper/: model.py (M1-M3), gradients.py (G1-G4), proof.py (P1-P4). The README maps every
statement to its code and test. The names below are loaded when first asked for, so that `import
benign_ref.paper` needs NumPy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .api import Run, attention, error_rate, forward, gradients, log_spaced_steps, loss, test_loss, train
    from .derived.boundary import attention_x, critical_x, limit_diagram
    from .derived.law import LawRun, train_in_law
    from .derived.limit_run import LimitRun, train_in_limit
    from .engines.records import Record
    from .experiments.fits import boundary_constant, fit_power_law
    from .experiments.grid import PhaseDiagram, phase_diagram
    from .experiments.published import published_setting
    from .paper.data import Dataset, init_parameters, make_rng, sample_dataset
    from .paper.descent import DivergenceError
    from .paper.model import Parameters
    from .paper.setting import Setting

_HOMES = {  # module: the public names that live there; a test holds it against the imports above
    "api": "Run attention error_rate forward gradients log_spaced_steps loss test_loss train",
    "derived.boundary": "attention_x critical_x limit_diagram",
    "derived.law": "LawRun train_in_law",
    "derived.limit_run": "LimitRun train_in_limit",
    "experiments.fits": "boundary_constant fit_power_law",
    "experiments.grid": "PhaseDiagram phase_diagram",
    "experiments.published": "published_setting",
    "paper.data": "Dataset init_parameters make_rng sample_dataset",
    "engines.records": "Record",
    "paper.descent": "DivergenceError",
    "paper.model": "Parameters",
    "paper.setting": "Setting",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
_SUBMODULES = "checks", "paper"  # br.checks.check_exactly, br.paper.model, ... without an import of their own
__all__ = ["__version__", *_HOME_OF]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__, *_SUBMODULES})
