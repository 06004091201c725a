"""A class of one's own as a device, in a Python program."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import lightloop as ll


class Bench(ll.Device):
    params = [
        ll.Param("gain", 1.0, min=0.5, max=4.0, help="a factor"),
        ll.Param("seed", 3, min=0, max=100, help="of matrix and noise", needs_reopen=True),
    ]

    def __init__(self):
        self.matrix = np.random.default_rng(self.settings["seed"]).normal(size=(64, 128))

    def describe(self):
        return ll.DeviceInfo(
            "projection", (64, 1, "mirrors"), (128, 12, "codes"), repeatable=True, frame_s=1e-3, power_w=2.0, max_batch=50
        )

    def run(self, frames, first_frame_id):
        light = 50 * np.abs(frames @ self.matrix) * self.settings["gain"]
        for i, row in enumerate(light):
            row += np.random.default_rng([self.settings["seed"], first_frame_id + i]).normal(10, 3, row.shape)
        return np.clip(light, 0, 4095).astype(np.uint16)


FRAMES = np.random.default_rng(0).integers(0, 2, size=(7, 64), dtype=np.uint8)


def failures(claims):
    return [claim for claim in claims if claim[1] == "failed"]


def test_the_check_of_a_class_is_recorded_and_repeated_without_the_class(tmp_path):
    file = tmp_path / "check.h5"
    live = ll.check(Bench, record=file)
    with pytest.raises(ll.FileError, match="exists already.*force=True"):
        ll.check(Bench, record=file)
    assert ll.check(f"replay:{file}") == live and failures(live) == []
    assert sum(outcome == "passed" for _, outcome, _ in live) >= 35


def test_a_class_is_opened_checked_and_trained_with():
    assert failures(ll.check(Bench)) == []
    with ll.open(Bench, gain=2.0) as device:
        codes = device.run(FRAMES)
        assert codes.dtype == np.uint16 and codes.shape == (7, 128)
        assert (codes == device.run(FRAMES, first_frame_id=0)).all()
        device.configure(gain=1.0)
        assert (codes != device.run(FRAMES, first_frame_id=0)).any()
        assert device.meter.frames == 21 and device.meter.device_j == pytest.approx(21 * 2e-3)
    run = ll.train("digits", rule="tdfa", device=Bench, net="784-8-10", epochs=1, settings={"rule.dead_zone": 0.2})
    again = ll.train("digits", rule="tdfa", device=Bench, net="784-8-10", epochs=1, settings={"rule.dead_zone": 0.2})
    assert run.facts["device_frames"] > 0 and run.facts["weights_sha256"] == again.facts["weights_sha256"]


def test_a_class_inside_a_function_is_a_device_too():
    class Inner(Bench):
        pass

    with ll.open(Inner) as device:
        assert "Inner" in device.address and device.run(FRAMES).any()
    with pytest.raises(ll.InvalidParameter, match="derived from lightloop.Device"):
        ll.open(dict)


def test_an_exception_keeps_its_cause_and_ctrl_c_stays_ctrl_c():
    class Fails(Bench):
        raised = None

        def run(self, frames):
            raise Fails.raised

    with ll.open(Fails) as device:
        Fails.raised = ValueError("lamp is off")
        with pytest.raises(ll.DeviceError, match="ValueError: lamp is off") as caught:
            device.run(FRAMES)
        assert caught.value.__cause__ is Fails.raised and "test_own_device.py" in str(caught.value)
        assert device.meter.frames == 0
        Fails.raised = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            device.run(FRAMES)
        Fails.raised = SystemExit(3)  # a device does not end the program it is used by
        with pytest.raises(ll.DeviceError, match=r"called exit\(3\)"):
            device.run(FRAMES)
        for raised, expected in (
            (ll.LinkError("cable", "is out"), ll.LinkError),
            (ll.Timeout("camera", "is slow"), ll.Timeout),
            (TimeoutError("slow"), ll.Timeout),
            (ConnectionResetError("gone"), ll.LinkError),
            (NotImplementedError("not that"), ll.Unsupported),
        ):
            Fails.raised = raised
            with pytest.raises(expected):
                device.run(FRAMES)


def test_frames_are_a_copy_unless_borrowed_and_memory_is_given_back():
    class Keeps(Bench):
        def run(self, frames, out):
            Keeps.kept = frames
            out[:] = 7
            return None, {"saturated": 3, "device_s": 0.5, "device_j": 0.25}

    with ll.open(Keeps) as device:
        assert (device.run(FRAMES) == 7).all()
        assert (Keeps.kept == FRAMES).all() and Keeps.kept.flags.writeable
        assert (device.meter.saturated, device.meter.device_s, device.meter.device_j) == (3, 0.5, 0.25)
    Keeps.borrows = True
    with ll.open(Keeps) as device, pytest.raises(ll.DeviceError, match="kept the array"):
        device.run(FRAMES)


def test_state_is_snapshot_and_restored():
    class Counts(Bench):
        params = [Bench.params[0]]
        count = 0

        def __init__(self):
            pass

        def describe(self):
            return {
                "kind": "reservoir", "input": (4, 8), "output": (2, 8), "stateful": True, "deterministic": True,
                "frame_s": 1.0, "power_w": 1.0,
            }  # fmt: skip

        def run(self, frames):
            codes = np.zeros((len(frames), 2), np.uint8)
            for frame, code in zip(frames, codes):
                self.count = (self.count // 2 + int(frame.sum())) % 256
                code[:] = self.count, frame[0] // 2
            return codes

        def reset(self):
            self.count = 0

        def snapshot(self):
            return self.count.to_bytes(2, "little")

        def restore(self, state):
            if len(state) != 2:
                raise ll.InvalidParameter("snapshot", f"{len(state)} bytes", "2")
            self.count = int.from_bytes(state, "little")

        def monitors(self):
            return {"count": (float(self.count), "1")}

        def self_test(self):
            return True, "it counts"

    assert failures(ll.check(Counts, {"gain": 2.0})) == []


class Weights(ll.Device):
    """Products of signed codes around 128, light of `power` and a noise that goes with its root."""

    params = [ll.Param("power", 1e-3, unit="W", min=1e-9, max=1.0), ll.Param("adc.range", 4.0, min=0.01, max=100.0)]

    def __init__(self):
        self.w = np.zeros((4, 6), np.float32)
        self.noise = np.random.default_rng(0)

    def describe(self):
        power = self.settings["power"]
        return {
            "kind": "layer", "input": (6, 8), "output": (4, 12), "program": ((4, 6), 8), "frame_s": 1e-6,
            "parts": {
                "laser": {"frame_events": 6, "frame_j": power * 1e-6, "per": "input"},
                "adc": {"frame_events": 4, "frame_j": 8e-12, "latency_s": 1e-9, "per": "output"},
                "hold": 1e-12,
                "programming": {"program_events": 24, "program_j": 24e-12},
            },
        }  # fmt: skip

    def program(self, codes):
        self.w = (codes.astype(np.float32) - 128) / 128

    def run(self, frames):
        y = ((frames.astype(np.float32) - 128) / 128) @ self.w.T
        y += 1e-5 / np.sqrt(self.settings["power"]) * self.noise.standard_normal(y.shape)
        codes = np.rint(2048 + 2048 * y / self.settings["adc.range"])
        return codes.clip(0, 4095).astype(np.uint16)


def test_energy_is_counted_by_component():
    with ll.open(Weights) as device:
        cost = device.info.cost
        assert cost.power_w == pytest.approx(1e-3 + 9e-6) and cost.program_j == pytest.approx(24e-12)
        assert cost.parts["adc"]["frame_events"] == 4 and list(cost.parts) == ["laser", "adc", "hold", "programming"]
    net = ll.deploy([(np.eye(4, 6, dtype=np.float32), np.zeros(4, np.float32))], Weights)
    net.scores(np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32))
    (report,) = net.reports
    assert net.energy["laser"] == pytest.approx(report.frames * 1e-9) and net.energy["hold"] == pytest.approx(report.frames * 1e-12)
    assert net.energy["programming"] == pytest.approx(report.programs * 24e-12)
    assert sum(net.energy.values()) == pytest.approx(net.device_joules) and "other" not in net.energy
    assert {"adc"} == set(net.latency)


class Held(Weights):
    """What it holds takes energy as long as it is held."""

    def describe(self):
        return {**super().describe(), "stateful": True, "parts": {"hold": float(np.abs(self.w).sum()) * 1e-6}}

    def run(self, frames):
        return np.rint(2048 + 512 * ((frames.astype(np.float32) - 128) / 128) @ self.w.T).clip(0, 4095).astype(np.uint16)

    def snapshot(self):
        return self.w.tobytes()

    def restore(self, state):
        if len(state) != self.w.nbytes:
            raise ll.InvalidParameter("snapshot", str(len(state)), str(self.w.nbytes))
        self.w = np.frombuffer(state, np.float32).reshape(self.w.shape).copy()


def test_a_restored_programme_costs_what_it_did():
    frames = np.full((10, 6), 200, np.uint8)

    def joules(device):
        before = device.meter.device_j
        device.run(frames)
        return device.meter.device_j - before

    with ll.open(Held) as one, ll.open(Held) as other:
        one.program(np.full((4, 6), 255, np.uint8))
        other.restore(one.snapshot())
        assert joules(one) == joules(other) == pytest.approx(10 * 24 * 127 / 128 * 1e-6)
    assert [claim[1] for claim in ll.check(Held) if "brings its programme back" in claim[0]] == ["passed"]


def test_a_setting_of_ones_own_is_specified_by_what_its_parts_take():
    rng = np.random.default_rng(2)
    y = np.arange(80) % 4
    x = (np.eye(4, 6, dtype=np.float32)[y] + 0.1 * rng.standard_normal((80, 6))).astype(np.float32)
    found = ll.deploy([(np.eye(4, 6, dtype=np.float32), np.zeros(4, np.float32))], Weights).spec(x, y, "power", drop=0.1, repeats=2)
    power = found["parameters"]["power"]
    assert power["priced"] and power["value"] < power["asked"] and found["joules_per_sample"] < found["joules_per_sample_asked"]


@pytest.mark.parametrize("parts, match", [
    ({"laser": {"frame_joules": 1}}, "frame_joules|frame_j"),
    ({"laser": -1.0}, "laser"),
    ({"laser": {"per": "pixel"}}, "pixel"),
])  # fmt: skip
def test_parts_that_cannot_be_are_refused(parts, match):
    with pytest.raises(ll.InvalidParameter, match=match):
        ll.DeviceInfo("layer", (6, 8), (4, 8), frame_s=1.0, parts=parts)
    with pytest.raises(ll.InvalidParameter, match="more energy"):
        ll.DeviceInfo("layer", (6, 8), (4, 8), frame_s=1.0, power_w=1.0, parts={"laser": 2.0})


def test_another_thread_may_run_it_and_devices_do_not_share():
    with ll.open(Bench, seed=1) as one, ll.open(Bench, seed=2) as two:
        answers = {}
        threads = [
            threading.Thread(target=lambda d=d, k=k: answers.setdefault(k, d.run(FRAMES, first_frame_id=0)))
            for k, d in (("a", one), ("b", two), ("c", one))
        ]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert (answers["a"] == answers["c"]).all() and (answers["a"] != answers["b"]).any()


def test_a_changed_file_is_read_again(tmp_path):
    file = tmp_path / "own_file.py"
    text = "import numpy as np\nimport lightloop as ll\nclass Own(ll.Device):\n  def describe(self):\n    return dict(kind='layer', input=(4, 8), output=(4, 8), model='{}')\n  def run(self, frames):\n    return frames\n"
    file.write_text(text.format("first"))
    with ll.open(f"python:{file}") as device:
        assert device.info.model == "first" and (device.run(np.ones((2, 4), np.uint8)) == 1).all()
    file.write_text(text.format("second one"))
    with ll.open(f"python:{file}:Own") as device:
        assert device.info.model == "second one"
    assert sys.modules["own_file"]


def test_discover_lists_configured_devices(tmp_path, monkeypatch):
    listed = tmp_path / "lab.toml"
    listed.write_text('[devices]\nopu = "sim:opu"\ngone = "python:gone.py"\n')
    monkeypatch.setenv("LIGHTLOOP_DEVICES", str(listed))
    found = {address: (summary, problem) for address, summary, problem in ll.discover()}
    assert found["sim:opu"][0].startswith("opu: projection") and "no such file" in found["python:gone.py"][1]


@pytest.mark.parametrize("use", ["kept = ll.open(Own); kept.run(np.ones((2, 4), np.uint8))", "kept = [ll.open(Own) for _ in range(3)]"])
def test_a_device_left_open_is_closed_at_the_end_of_the_program(use):
    program = """
import numpy as np
import lightloop as ll
class Own(ll.Device):
    def describe(self):
        return dict(kind="layer", input=(4, 8), output=(4, 8))
    def run(self, frames):
        return frames
    def close(self):
        print("closed")
"""
    done = subprocess.run([sys.executable, "-c", program + use], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("closed") == (3 if "range" in use else 1)
