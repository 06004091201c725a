"""Trains a network whose error signal goes through a simulated optical processing unit, and draws the run."""

import sys

import lightloop as ll

out = sys.argv[1] if len(sys.argv) > 1 else "run.h5"
run = ll.train("digits", rule="tdfa", device="sim:opu", net="784-256-10", epochs=5, batch=64, lr=3e-3, out=out)
print(run)
print(f"device: {run.facts['device_frames']} frames, {run.facts['device_seconds']:.1f} s")
ll.plot(out, out.replace(".h5", ".png"))
