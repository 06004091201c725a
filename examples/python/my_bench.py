"""A bench of your own as a device: a mirror array in front of a scattering medium, and a camera behind it.

    lightloop check python:examples/python/my_bench.py:MyBench
    lightloop train --dataset digits --rule tdfa --device python:examples/python/my_bench.py:MyBench ...
"""

import numpy as np

import lightloop as ll


class Mirrors:
    """Stands for the vendor's module of a mirror array."""

    def show(self, pattern):
        self.pattern = pattern


class Camera:
    """Stands for the vendor's module of a camera. Here it computes what it would see: |H x|^2 and its noise."""

    def __init__(self, mirrors, pixels):
        inputs = np.random.default_rng(0)  # the medium is the same each time; the noise never is
        self.medium = (inputs.normal(size=(96, pixels)) + 1j * inputs.normal(size=(96, pixels))) / np.sqrt(2)
        self.mirrors, self.noise, self.exposure = mirrors, np.random.default_rng(), 1e-3

    def grab(self):
        light = np.abs(self.mirrors.pattern.astype(np.float32) @ self.medium) ** 2
        electrons = self.noise.poisson(4e5 * self.exposure * light)
        return np.clip(electrons / 200 + self.noise.normal(2, 0.3, light.shape), 0, 255).round().astype(np.uint8)


class MyBench(ll.Device):
    params = [ll.Param("camera.exposure", 1e-3, unit="s", min=1e-4, max=1e-1, help="of each picture")]

    def __init__(self):
        self.mirrors = Mirrors()
        self.camera = Camera(self.mirrors, pixels=256)

    def describe(self):
        frame_s = self.settings["camera.exposure"] + 0.5e-3  # and the time to read the camera out
        return {
            "kind": "projection",
            "model": "mirrors and camera",
            "input": ((8, 12), 1, "mirror state"),
            "output": ((16, 16), 8, "camera code"),
            "max_batch": 200,
            "frame_s": frame_s,
            "power_w": 12.0,
        }

    def configure(self, changes):
        self.camera.exposure = self.settings["camera.exposure"]

    def run(self, frames):
        pictures = np.empty((len(frames), 256), np.uint8)
        for pattern, picture in zip(frames, pictures):
            self.mirrors.show(pattern.reshape(-1))
            picture[:] = self.camera.grab()
        return pictures

    def self_test(self):
        self.mirrors.show(np.zeros(96, np.uint8))
        dark = self.camera.grab().mean()
        return bool(dark < 5), f"mean code in the dark {dark:.1f}; below 5 wanted"


if __name__ == "__main__":
    for claim, outcome, detail in ll.check(MyBench):
        print(f"{outcome:8} {claim}" + (f": {detail}" if detail else ""))
    run = ll.train("digits", rule="tdfa", device=MyBench, net="784-64-10", epochs=1, settings={"rule.dead_zone": 0.2})
    print(f"accuracy {run.test_accuracy:.3f} after one epoch")
