"""Fixtures: the command in an empty folder, and a run of a second."""

import json
import os
import subprocess

import pytest
from e2e import COMMAND, DATA, write_mnist


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp("data") / "mnist")


@pytest.fixture
def lightloop(tmp_path):
    """Runs the command in an empty folder; `environment` is laid over a home without caches."""

    def run(*words, environment=None, **options):
        surroundings = {**os.environ, "HOME": str(tmp_path), "LIGHTLOOP_DATA": "", **(environment or {})}
        options = {"capture_output": True, "timeout": 300, **options}
        return subprocess.run([COMMAND, *map(str, words)], cwd=tmp_path, text=True, env=surroundings, **options)

    return run


@pytest.fixture
def told(lightloop, tmp_path):
    """Reproduces a paper with the data that are there: (what it said, its rows by name)."""

    def run(name, *words, timeout=300):
        done = lightloop("reproduce", name, *words, "--json", environment={"LIGHTLOOP_DATA": DATA}, timeout=timeout)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name / "table.txt").read_text().count("\n") > 3 and (tmp_path / name / "picture.png").exists()
        said = json.loads(done.stdout)
        return said, {row["row"]: row for row in said["rows"]}

    return run


@pytest.fixture
def small(data_dir):
    """Options of a run of a second."""
    return ["--dataset", "mnist", "--data-dir", str(data_dir), "--net", "36-24-24-10", "--batch", "32", "--epochs", "2"]
