"""Devices written in Python, opened by a program that is not Python."""

import json
import signal
import subprocess
import time

import numpy as np
import pytest
from e2e import BUILD, COMMAND, ROOT
from served import Serve, has_remote

if not (BUILD / "python" / "lightloop" / "__init__.py").exists():
    pytest.skip("the Python package is not built", allow_module_level=True)

BENCH = f"python:{ROOT}/examples/python/my_bench.py:MyBench"
BASE = """
import time
import numpy as np
import lightloop as ll

class Good(ll.Device):
    params = [ll.Param("gain", 1.0, min=0.5, max=4.0, help="a factor")]
    def __init__(self):
        self.matrix = np.random.default_rng(1).normal(size=(64, 128))
    def describe(self):
        return {"kind": "projection", "input": (64, 1, "mirrors"), "output": (128, 8, "codes"), "frame_s": 1e-3, "power_w": 1.0}
    def run(self, frames):
        return np.clip(4 * np.abs(frames @ self.matrix) * self.settings["gain"], 0, 255).astype(np.uint8)

"""
TRAIN = ["train", "--dataset", "digits", "--rule", "tdfa", "--net", "784-8-10", "--epochs", "1", "--quiet"]


@pytest.fixture
def bench(tmp_path):
    def write(body):
        (tmp_path / "bench.py").write_text(BASE + body)
        return "python:bench.py:Bench"

    return write


def test_the_example_keeps_the_contract_and_trains(lightloop):
    done = lightloop("check", BENCH, "--set", "camera.exposure=2 ms")
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr
    done = lightloop(*TRAIN, "--device", BENCH, "--set", "rule.dead_zone=0.2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["device_frames"] > 1000


@pytest.mark.parametrize(
    "body, words, code",
    [
        ("def run(self, frames):\n  raise ValueError('lamp\\nis off')", ["ValueError: lamp is off", "bench.py, line 17"], 3),
        ("def run(self, frames):\n  return frames @ self.matrix", ["float64", "uint8", "(frames, 128)"[8:], ".astype(np.uint8)"], 3),
        ("def run(self, frames):\n  return np.zeros((len(frames), 127), np.uint8)", ["127)", "128)", "bench.py, line 16"], 3),
        ("def run(self, frames):\n  return [1, 2]", ["returned list"], 3),
        ("def run(self, frames):\n  return super().run(frames), {'joules': 1.0}", ["joules", "device_j"], 3),
        ("def run(self, frames):\n  return super().run(frames), {'saturated': -1}", ["-1 clipped"], 3),
        ("borrows = True\ndef run(self, frames):\n  self.kept = frames\n  return super().run(frames)", ["kept the array", "borrows"], 3),
        ("def run(self, frames):\n  raise ll.Timeout('camera', 'too slow')", ["camera: too slow"], 3),
        ("def run(self, frames):\n  import sys; sys.exit(7)", ["called exit(7)", "bench.py, line 17"], 3),
        ("def run(self, frames):\n  pass", ["returned NoneType", "array uint8", "bench.py, line 16"], 3),
        ("def run(self, frames):\n  return super().run(frames).astype(np.int64)", ["int64", ".astype(np.uint8)"], 3),
        ("def run(self, frames):\n  return super().run(frames)[:-1]", ["128)", "bench.py, line 16"], 3),
        ("def describe(self):\n  return {**super().describe(), 'output': (128, 3)}", ["0..7 for 3 bits", "bench.py, line 12"], 3),
        ("def describe(self):\n  return {**super().describe(), 'fram_s': 1}", ["fram_s", "frame_s"], 2),
        ("def describe(self):\n  return {**super().describe(), 'kind': 'toaster'}", ["toaster", "projection"], 2),
        ("def describe(self):\n  return 7", ["describe()", "int"], 3),
        ("def __init__(self):\n  open('/no/such/camera')", ["FileNotFoundError", "/no/such/camera", "line 17"], 3),
        ("def __init__(self):\n  raise ll.Busy('camera', 'is used by Ann')", ["is used by Ann"], 3),
        ("params = [ll.Param('gain', 9.0, max=4.0)]", ["gain"], 2),
    ],
)  # fmt: skip
def test_a_device_that_misbehaves_is_one_clear_line(lightloop, bench, tmp_path, body, words, code):
    address = bench("class Bench(Good):\n  " + body.replace("\n", "\n  ") + "\n")
    done = lightloop(*TRAIN, "--device", address, "--out", "run.h5")
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("lightloop: ") and done.stderr.count("\n") == 1, done.stderr
    assert "python:bench.py:Bench" in done.stderr and all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize(
    "target, words",
    [
        ("nofile.py:X", ["nofile.py: no such file"]),
        ("bench.py:Benc", ["Did you mean Bench?"]),
        ("bench.py", ["it has Good, Bench"]),
        ("nothere:X", ["No module named 'nothere'"]),
        ("X", ["FILE.py:CLASS"]),
        ("bad.py", ["SyntaxError", "bad.py, line 1"]),
        ("bench.py:Bench,gian=2", ['Did you mean "gain"?']),
        ("bench.py:Bench,gain=9", ["0.5", "4"]),
    ],
)
def test_a_wrong_address_is_one_clear_line(lightloop, bench, tmp_path, target, words):
    bench("class Bench(Good): pass\n")
    (tmp_path / "bad.py").write_text("x = (\n")
    done = lightloop("check", "python:" + target)
    assert done.returncode in (2, 3) and done.stderr.count("\n") == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_a_device_that_sleeps_past_the_deadline_is_one_clear_line_in_time(lightloop, bench):
    address = bench("class Bench(Good):\n  def run(self, frames):\n    time.sleep(600)\n")
    start = time.monotonic()
    done = lightloop(*TRAIN, "--device", address, "--set", "session.deadline_s=0.3")
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and time.monotonic() - start < 60, done.stderr
    assert "python:bench.py:Bench" in done.stderr and "has not come back" in done.stderr, done.stderr


def test_without_a_libpython_one_line_says_so(lightloop, bench):
    done = lightloop("check", bench("class Bench(Good): pass\n"), environment={"LIGHTLOOP_LIBPYTHON": "/no/lib.so"})
    assert done.returncode == 2 and "/no/lib.so" in done.stderr and done.stderr.count("\n") == 1


def test_what_a_device_prints_does_not_spoil_the_answer(lightloop, bench):
    address = bench("class Bench(Good):\n  def run(self, frames):\n    print('frames!')\n    return super().run(frames)\n")
    done = lightloop(*TRAIN, "--device", address, "--set", "rule.dead_zone=0.2", "--json")
    assert json.loads(done.stdout)["device"] == address and "frames!" in done.stderr


def test_ctrl_c_saves_a_checkpoint(bench, tmp_path):
    body = "class Bench(Good):\n  def run(self, frames):\n    time.sleep(0.01)\n    print('.')\n    return super().run(frames)\n"
    words = [*TRAIN[:-2], "50", "--device", bench(body), "--set", "rule.dead_zone=0.2", "--out", "run.h5"]
    run = subprocess.Popen(
        [COMMAND, *words], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    for _ in range(40):  # frames are being shown
        assert run.stderr.readline()
    run.send_signal(signal.SIGINT)
    start = time.monotonic()
    run.communicate(timeout=60)
    assert run.returncode == 130 and (tmp_path / "run.h5").exists() and time.monotonic() - start < 30


def test_hardware_that_was_asked_for_is_never_replaced_by_a_simulator(lightloop, tmp_path):
    for device in ("plugin:no.such", "python:no.py:Such", "replay:no.h5", "remote:127.0.0.1:1/opu", "bench:x", "opu", "lab.toml"):
        done = lightloop(*TRAIN, "--device", device, "--out", "run.h5")
        assert done.returncode in (2, 3), (device, done.stdout, done.stderr)
        assert done.stdout == "" and not (tmp_path / "run.h5").exists()


def test_configured_devices_are_listed_with_their_reasons(lightloop, bench, tmp_path):
    good = bench("class Bench(Good): pass\n")
    (tmp_path / "lab.toml").write_text(
        f'[devices]\nmine = "{good}"\ngone = "python:gone.py:X"\nfar = "remote:127.0.0.1:1/opu0"\n'
    )
    start = time.monotonic()
    listed = json.loads(lightloop("devices", "--json", environment={"LIGHTLOOP_DEVICES": "lab.toml"}).stdout)
    assert time.monotonic() - start < 20
    (found,) = (f for f in listed["found"] if f["address"] == good)
    assert found["summary"].startswith("mine: projection")
    problems = {f["address"]: f["problem"] for f in listed["failed"]}
    assert "no such file" in problems["python:gone.py:X"] and problems["remote:127.0.0.1:1/opu0"]


@pytest.mark.skipif(not has_remote(), reason="built without gRPC")
def test_the_model_and_what_a_call_took_come_through_a_server(tmp_path):
    ll = pytest.importorskip("lightloop")
    here = f"python:{ROOT}/tests/python/test_own_twin.py:Metered"
    x = np.random.default_rng(1).uniform(-1, 1, (20, 6)).astype(np.float32)
    with Serve(tmp_path, "--device", f"chip={here}") as server:
        there = f"remote:{server.address}/chip"
        codes = 2048 * (1 + x)
        for near, far in zip(ll.Twin(here).vjp(codes, codes[:, :4]), ll.Twin(there).vjp(codes, codes[:, :4])):
            assert np.array_equal(near, far)
        with ll.Layer(there, x[:4], bound_management="none") as layer:
            layer(x)
            assert layer.report.energy == pytest.approx({"laser": 9e-6, "adc": 3e-6})
