"""The package itself: stubs, examples, plots, installation."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lightloop as ll

ROOT = Path(__file__).parents[2]


def run(*words, cwd=None, **more):
    env = {**os.environ, "PYTHONPATH": str(Path(ll.__file__).absolute().parents[1]), "MPLBACKEND": "Agg", **more}
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_public_name_is_there_and_documented():
    for name in ll.__all__:
        assert getattr(ll, name).__doc__ if name != "__version__" else True, name


def test_stubs_are_fresh():
    pytest.importorskip("mypy")
    run(sys.executable, ROOT / "python" / "update_stubs.py", "--check")


def test_stubs_are_python_and_typing_is_declared():
    ast.parse((ROOT / "python" / "lightloop" / "_core.pyi").read_text())
    assert (Path(ll.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", ["open_and_run", "random_features", "train_and_plot"])
def test_examples_run(name, tmp_path):
    if name == "random_features":
        pytest.importorskip("sklearn")
    if name == "train_and_plot":
        pytest.importorskip("matplotlib")
    run(sys.executable, ROOT / "examples" / "python" / f"{name}.py", cwd=tmp_path)
    assert name != "train_and_plot" or (tmp_path / "run.png").stat().st_size > 5000


@pytest.mark.parametrize("first", ["", "import lightloop.plot; from lightloop.plot import draw_runs"])
def test_plot_is_called_again_and_again_also_when_its_module_was_imported(first, tmp_path):
    pytest.importorskip("matplotlib")
    code = f"""import lightloop as ll
{first}
from lightloop import plot as kept
run = ll.train("digits", "bp", net="784-10", epochs=1, samples=60)
for i, draw in enumerate([lambda *what: ll.plot(*what), lambda *what: ll.plot(*what), kept]):
    draw(run, f"{{i}}.png")
"""
    run(sys.executable, "-c", code, cwd=tmp_path)
    assert all((tmp_path / f"{i}.png").stat().st_size > 5000 for i in range(3))


def test_importing_is_light():
    code = "import sys, lightloop; print(any(m in sys.modules for m in ('sklearn', 'torch', 'matplotlib', 'xarray')))"
    assert run(sys.executable, "-c", code).strip() == "False"


@pytest.mark.skipif("LIGHTLOOP_FULL" not in os.environ, reason="builds the library again (LIGHTLOOP_FULL)")
def test_pip_installs_offline_into_a_virtual_environment(tmp_path):
    run("/usr/bin/python3", "-m", "venv", "--system-site-packages", tmp_path / "v")
    python = tmp_path / "v" / "bin" / "python3"
    run(python, "-m", "pip", "install", "--no-index", "--no-build-isolation", ROOT)
    code = "import lightloop as ll; print(ll.__file__, ll.open('sim:opu').info.model)"
    assert str(tmp_path) in run(python, "-c", code, cwd=tmp_path, PYTHONPATH="")
