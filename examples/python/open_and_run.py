"""Opens a simulated optical processing unit, shows it a few patterns and looks at what its camera saw."""

import numpy as np

import lightloop as ll

with ll.open("sim:opu,seed=1", {"input.size": 64, "output.size": 256, "camera.exposure": "300 us"}) as device:
    print(device.info.input, "->", device.info.output)
    patterns = np.random.default_rng(0).integers(0, 2, size=(10, 64), dtype=np.uint8)
    codes = device.run(patterns)  # nothing is copied; the interpreter is free meanwhile
    again = device.run(patterns)  # the same patterns, new noise
    meter = device.meter

print(f"mean code {codes.mean():.1f}, repeat correlation {np.corrcoef(codes.ravel(), again.ravel())[0, 1]:.4f}")
print(f"{meter.frames} frames, {meter.device_s * 1e3:.1f} ms and {meter.device_j:.2f} J on the device")
