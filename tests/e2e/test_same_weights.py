"""The promise: whichever door a device is reached through, the network ends with the same weights."""

import json

from e2e import BUILD, ROOT

TRAIN = [
    *("train", "--dataset", "digits", "--rule", "tdfa", "--net", "784-32-32-10", "--epochs", "1", "--lr", "3e-3"),
    *("--set", "rule.dead_zone=0.2", "--quiet", "--json", "--seed", "3"),
]


def test_sim_python_plugin_and_replay_end_with_the_same_weights(lightloop, tmp_path):
    doors = {"sim:opu": ["--record", "rec.h5"], "replay:rec.h5": [], "plugin:example.opu": []}
    if (BUILD / "python" / "lightloop" / "__init__.py").exists():
        doors[f"python:{ROOT}/examples/python/opu_in_python.py:OpuInPython"] = []
    runs = {}
    for device, more in doors.items():
        done = lightloop(*TRAIN, "--device", device, *more, environment={"LIGHTLOOP_PLUGIN_PATH": str(BUILD / "plugins")})
        assert done.returncode == 0, done.stderr
        runs[device] = json.loads(done.stdout)
    (reference, *others) = runs.values()
    for other in others:
        for key in ("weights_sha256", "device_frames", "device_joules", "test_accuracy", "health_end"):
            assert other[key] == reference[key], other["device"]
