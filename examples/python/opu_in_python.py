"""A device inside a device: sim:opu behind a class in Python. The network ends with the same weights as without it."""

import lightloop as ll


class OpuInPython(ll.Device):
    params = ll.devices()["opu"].params
    borrows = True  # nothing is copied on the way to the inner device

    def __init__(self):
        self.opu = ll.open("sim:opu", self.settings)

    def describe(self):
        info = self.opu.info
        return ll.DeviceInfo(
            info.kind,
            info.input,
            info.output,
            model=info.model,
            aux_inputs=info.aux_inputs,
            stateful=info.stateful,
            deterministic=info.deterministic,
            repeatable=info.repeatable,
            max_batch=info.max_batch,
            frame_s=info.cost.frame_s,
            batch_s=info.cost.batch_s,
            power_w=info.cost.power_w,
        )

    def run(self, frames, aux, first_frame_id, out):
        before = self.opu.meter
        self.opu.run(frames, aux=aux, first_frame_id=first_frame_id, out=out)
        now = self.opu.meter
        return None, {"saturated": now.saturated - before.saturated}

    def configure(self, changes):
        self.opu.configure(changes)

    def reset(self):
        self.opu.reset()

    def snapshot(self):
        return self.opu.snapshot()

    def restore(self, state):
        self.opu.restore(state)

    def close(self):
        self.opu.close()


if __name__ == "__main__":
    options = dict(rule="tdfa", net="784-32-32-10", epochs=1, settings={"rule.dead_zone": 0.2})
    for device in ("sim:opu", OpuInPython):
        run = ll.train("digits", device=device, **options)
        print(f"{run.device:40} accuracy {run.test_accuracy:.4f}, weights {run.facts['weights_sha256'][:16]}")
