"""The kernel in which a notebook runs, the same for `make run` and for the tests: alone in an empty folder, on one
thread, without a GPU, without the machine's own Python path and start-up files.
"""

import contextlib
import os
import platform
import tempfile
from pathlib import Path

from nbclient import NotebookClient

CELL_SECONDS = 3600  # chapter 13 trains for half an hour in one cell on a slow core
LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# A stand-in for another make of processor: PyTorch's and NumPy's plain kernels in place of those for this one, and
# another number of threads, which wait for each other without spinning.
OTHER_ARITHMETIC = {"ATEN_CPU_CAPABILITY": "default", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
if platform.machine() in ("x86_64", "AMD64"):
    OTHER_ARITHMETIC |= {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"}
CHOICES_OF_KERNELS = ("ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
DROPPED = ("PYTHONPATH", "PYTHONSTARTUP", "IPYTHONDIR", *CHOICES_OF_KERNELS)


def environment(box, elsewhere=False):
    """The variables of a kernel whose folder for IPython is in `box`; `elsewhere`: with other arithmetic."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    kept |= dict.fromkeys(LIBRARIES, "2" if elsewhere else "1")
    kept |= {"IPYTHONDIR": str(Path(box) / "ipython"), "CUDA_VISIBLE_DEVICES": ""}
    return kept | (OTHER_ARITHMETIC if elsewhere else {})


@contextlib.contextmanager
def started(notebook, elsewhere=False, timeout=CELL_SECONDS):
    """A client of nbclient whose kernel runs as this module says; its folder goes when it goes."""
    with tempfile.TemporaryDirectory(prefix="book-", ignore_cleanup_errors=True) as box:
        folder = Path(box) / "empty"
        folder.mkdir()
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel(env=environment(box, elsewhere)):
            yield client
