"""Generated pages are fresh and the README says what is there."""

import re
import shlex
import textwrap

import numpy as np
import pytest
from e2e import ROOT

README = ROOT / "README.md"


@pytest.mark.parametrize("verb", ["devices", "rules"])
def test_the_generated_page_is_fresh(lightloop, verb):
    made = lightloop(verb, "--markdown").stdout
    page = ROOT / "docs" / f"{verb}.md"
    if page.read_text() != made:
        page.with_suffix(".new.md").write_text(made)
        raise AssertionError(f"docs/{verb}.md is old: docs/{verb}.new.md has been written, move it over")


def test_the_program_in_the_readme_is_the_example_that_is_built():
    (block,) = re.findall(r"```cpp\n(.*?)```", README.read_text(), re.DOTALL)
    assert block == (ROOT / "examples" / "cpp" / "train_digits.cpp").read_text()


def test_the_bench_of_the_page_is_the_example_that_is_run():
    page = (ROOT / "docs" / "your_device.md").read_text()
    block, model = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert block == (ROOT / "examples" / "python" / "my_bench.py").read_text()
    methods = {}
    exec(textwrap.dedent(model), methods)
    x, theta, g = (np.random.default_rng(i).uniform(0, 255, shape) for i, shape in enumerate(((5, 6), (4, 6), (5, 4))))
    by_x, by_theta = methods["vjp"](None, x, g, theta)
    dx, dtheta = x[::-1] - x, theta[::-1] - theta  # linear in each: differences are exact
    answer = methods["forward_model"]
    assert np.sum(by_x * dx) == pytest.approx(np.sum(g * (answer(None, x + dx, theta) - answer(None, x, theta))))
    assert np.sum(by_theta * dtheta) == pytest.approx(np.sum(g * (answer(None, x, theta + dtheta) - answer(None, x, theta))))


def test_links_in_the_pages_lead_somewhere():
    for page in [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_lightloop_commands_in_the_readme_are_accepted(lightloop):
    """Every `lightloop train` line, as a dry run of the digits; other verbs by their --help."""
    lines = re.findall(r"^(?:\$ )?lightloop (.+?)(?:\s+#.*)?$", README.read_text(), re.MULTILINE)
    assert lines
    for line in lines:
        words = line.split()
        if words[0] == "train" and "--dataset" in words and "digits" in words:
            done = lightloop(*words, "--dry-run")
        else:
            done = lightloop(words[0], "--help")
        assert done.returncode == 0, (line, done.stderr)


def test_the_networks_of_their_page_fit_their_data(lightloop):
    """As a dry run, digits for other images of their size. Graphs and texts want files that are not here."""
    page = (ROOT / "docs" / "networks.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    runs = [words for words in re.split(r"^lightloop ", "\n".join(blocks), flags=re.MULTILINE) if words.startswith("train ")]
    assert len(runs) == 12
    for run in runs:
        words = ["digits" if word in ("mnist", "fashion") else word for word in shlex.split(run)]
        if words[words.index("--dataset") + 1] in ("digits", "clicks", "picture"):
            done = lightloop(*words, "--dry-run")
            assert done.returncode == 0, (run, done.stderr)
