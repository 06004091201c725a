"""tools/results/rule_memory.py: what a step of local and forward-only rules holds does not grow with depth."""
import importlib.util
import pathlib

import pytest

pytest.importorskip("lightloop")
pytest.importorskip("h5py")
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "results" / "rule_memory.py"
spec = importlib.util.spec_from_file_location("rule_memory", SCRIPT)
rule_memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rule_memory)


class Work:
    def __init__(self, folder):
        self.work = folder


@pytest.mark.parametrize("title, least, most", [  # activations of a layer more for every layer
    ("bp, convolutional", 3, 5), ("local, convolutional", -0.5, 0.5), ("local, train.alignment_every=50", -0.2, 0.2),
    ("lls, convolutional", -0.5, 0.5), ("sff, convolutional", -0.5, 0.5), ("ccl, convolutional", -0.5, 0.5),
    ("spsa, convolutional", -0.5, 0.5), ("bp, graph", 3, 20), ("forwardgnn, graph", 0, 1)])  # fmt: skip
def test_what_a_step_holds_grows_with_depth_as_it_should(title, least, most, tmp_path):
    depths = rule_memory.KINDS[rule_memory.ROWS[title][0]][0]
    low, high = depths[0], depths[-1]
    growth = (rule_memory.held(Work(tmp_path), title, high) - rule_memory.held(Work(tmp_path), title, low)) / (high - low)
    assert least < growth < most
