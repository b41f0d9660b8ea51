"""The reference works in a process in which neither numba nor matplotlib nor SciPy can be imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "matplotlib", "scipy"):
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbidden())
import benign_ref.paper as paper
from benign_ref.paper import gradients, model

s = paper.Setting(N=4, M=4, d=32, d_h=4, d_v=4, snr=8.0, max_steps=20)
data, theta = paper.sample_dataset(s, paper.make_rng(0)), paper.init_parameters(s, paper.make_rng(1))
slope = gradients.gradients(theta, data.X, data.y)
assert [g.shape for g in slope] == [W.shape for W in theta]
ends = []
for make in (paper.ReferenceSpace, paper.ReferenceProofSpace.of):
    space = make(theta, data.X, data.y)
    history = paper.descend(space, eta=s.eta, epsilon=s.epsilon, max_steps=s.max_steps)
    assert len(history.losses) == 21 and history.losses[-1] < history.losses[0]
    ends.append(model.loss(space.parameters(), data.X, data.y))
assert abs(ends[0] / ends[1] - 1) < 1e-12 and abs(ends[0] / history.losses[-1] - 1) < 1e-12
assert not {"numba", "matplotlib", "scipy"} & set(sys.modules)
print("alone")
"""


def test_gradients_and_a_short_run_need_numpy_alone():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout == "alone\n", done.stderr
