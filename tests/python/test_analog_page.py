"""docs/analog_layers.md: its programs run, its times can be read."""

import pathlib
import re

import pytest

import lightloop as ll

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "analog_layers.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_products_of_the_page_come_out_on_every_device(capsys):
    exec(PROGRAMS[0], {})
    errors = re.findall(r"(sim:\S+) error ([\d.]+)%", capsys.readouterr().out)
    assert len(errors) == 5 and all(float(error) < 15 for _, error in errors), errors


@pytest.mark.slow
def test_the_networks_of_the_page_run_and_are_ranked(capsys):
    pytest.importorskip("torch")
    assert len(PROGRAMS) == 2
    exec(PROGRAMS[1], {})
    said = capsys.readouterr().out
    assert len(re.findall(r"accuracy \d", said)) == 3 and said.count("points lost alone") == 3


def test_the_times_of_the_page_can_be_set():
    times = re.findall(r'clock_s="([^"]+)"', PAGE)
    assert times
    for time in times:
        with ll.Layer("sim:crossbar,preset=pcm", [[1.0, -1.0]]) as layer:
            layer.device.configure(clock_s=time)
