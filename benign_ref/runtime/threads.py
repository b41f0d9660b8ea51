"""Threads of the libraries under NumPy: one list of the variables that set them; one thread here and now."""

import contextlib
import ctypes
import functools
from pathlib import Path

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# What BLAS libraries call the functions that tell and set the number of threads
_BLAS_FUNCTIONS = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
)


def set_default(environment):
    """One thread for each library in `environment` (os.environ, before NumPy is imported), unless it says
    another number: small arrays gain nothing from more, and the last bits of a sum depend on how many there
    are.
    """
    for name in THREAD_VARIABLES:
        environment.setdefault(name, "1")


@functools.cache
def _blas():
    """(get, set) of the BLAS that NumPy has loaded; of none, if it has none of the functions known here."""
    import numpy

    core = getattr(numpy, "_core", None) or numpy.core
    bundled = Path(numpy.__file__).parent.parent.joinpath("numpy.libs").glob("*openblas*")
    # A symbol is also found in what a library is linked to
    for path in (core._multiarray_umath.__file__, *bundled):
        for get, set_ in _BLAS_FUNCTIONS:
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(path))
                return getattr(library, get), getattr(library, set_)
    return lambda: None, lambda count: None


def of_blas():
    """How many threads BLAS computes with; None if it does not say."""
    return _blas()[0]()


@contextlib.contextmanager
def one_blas_thread():
    """Inside, BLAS computes with one thread, as in a worker process, so that the bits are a worker's."""
    get, set_ = _blas()
    before = get()
    set_(1)
    try:
        yield
    finally:
        set_(before)
