"""Networks of oscillators, every pair of a network coupled, as a device with a twin: the simulated example of Wright et al.

q_i'' = -sin q_i + sum_j J_ij (sin q_j - sin q_i) + e_i, J symmetric, from q_i(0) and rest, for `time_s` in `steps` steps of the leapfrog
method. Inputs are the angles q(0), outputs the angles at the end, the programme is the couplings and the forces e of all networks.
The apparatus has sin((1 + detuning) q) for sin q, fixed errors on its couplings, and noise on the angles it starts from; its
twin knows nothing of these. Equation, time, steps and the three numbers are published (couplings: half the sum of two errors of sd
0.2 1/s^2); the leapfrog method is ours, a quarter of the work of their Runge-Kutta.
"""

import lightloop as ll
import numpy as np

MIDDLE = 2**15  # of codes of 16 bits


def angles(codes, range_rad):
    return (codes.astype(np.float32) - MIDDLE) * np.float32(range_rad / MIDDLE)


def codes(values, full):
    return np.clip(np.rint(MIDDLE * (1 + values / full)), 0, 2 * MIDDLE - 1).astype(np.uint16)


def kicks(steps, step_s):
    """What each force is multiplied by: half a step before the first move, whole ones between moves."""
    return [step_s / 2] + [step_s] * (steps - 1)


class Oscillators(ll.Device):
    params = [
        ll.Param("networks", 1, min=1, max=1024, help="that do not see each other", needs_reopen=True),
        ll.Param("size", 100, min=2, max=4096, help="oscillators of a network", needs_reopen=True),
        ll.Param("time_s", 0.5, unit="s", min=0.01, max=100.0, help="from letting go to reading", needs_reopen=True),
        ll.Param("steps", 5, min=1, max=1000, help="of the integration", needs_reopen=True),
        ll.Param("range_rad", 4.0, unit="rad", min=0.1, max=100.0, help="angle at the ends of all codes", needs_reopen=True),
        ll.Param("coupling_s2", 0.5, unit="1/s^2", min=1e-3, max=1e3, help="at full programme code", needs_reopen=True),
        ll.Param("force_s2", 8.0, unit="1/s^2", min=1e-3, max=1e3, help="at full programme code", needs_reopen=True),
        ll.Param("detuning", 0.1, min=0.0, max=1.0, help="sin (1 + detuning) q in the apparatus", off=0.0, needs_reopen=True),
        ll.Param("coupling_error_s2", 0.2 / 2**0.5, unit="1/s^2", min=0.0, max=100.0, help="sd of couplings, drawn once", off=0.0, needs_reopen=True),
        ll.Param("input_noise_rad", 0.02, unit="rad", min=0.0, max=1.0, help="sd of an angle it starts from", off=0.0, needs_reopen=True),
        ll.Param("seed", 1, min=0, max=2**31, help="of the errors and the noise", needs_reopen=True),
    ]

    def open_model(self):
        s = self.settings
        self.shape = s["networks"], s["size"]
        self.upper = np.triu_indices(s["size"], 1)
        self.couplings = len(self.upper[0])
        self.step_s = np.float32(s["time_s"] / s["steps"])

    def __init__(self):
        self.open_model()
        noise = np.random.default_rng([self.settings["seed"], 0])
        self.errors = np.float32(self.settings["coupling_error_s2"]) * noise.standard_normal((self.shape[0], self.couplings)).astype(np.float32)
        self.program(np.full((self.shape[0], self.couplings + self.shape[1]), MIDDLE, np.uint16))

    def describe(self):
        networks, size = self.settings["networks"], self.settings["size"]
        return {
            "kind": "layer", "model": "oscillators", "repeatable": True, "frame_s": self.settings["time_s"], "power_w": 1e-3 * networks * size,
            "input": ((networks, size), 16, "angle"), "output": ((networks, size), 16, "angle"),
            "program": ((networks, size * (size - 1) // 2 + size), 16, "couplings above the diagonal, forces"),
        }  # fmt: skip

    def built(self, theta, errors=0):
        """J (networks, size, size) and e (networks, 1, size) of a programme."""
        s = (theta.astype(np.float32) - MIDDLE) / np.float32(MIDDLE)
        j = np.zeros((*self.shape, self.shape[1]), np.float32)
        j[:, self.upper[0], self.upper[1]] = np.float32(self.settings["coupling_s2"]) * s[:, : self.couplings] + errors
        j += j.transpose(0, 2, 1)
        return j, np.float32(self.settings["force_s2"]) * s[:, None, self.couplings :]

    def swing(self, q, j, e, stretch=np.float32(1)):
        """The angles (networks, frames, size) at the end, and those at every kick."""
        v, seen = np.zeros_like(q), []
        total = 1 + j.sum(axis=2)[:, None]
        for kick in kicks(self.settings["steps"], self.step_s):
            seen.append(q)
            s = np.sin(stretch * q)
            v = v + kick * (s @ j - total * s + e)
            q = q + self.step_s * v
        return q, seen

    def program(self, codes):
        self.held = self.built(codes, self.errors)

    def run(self, frames, first_frame_id):
        q = angles(frames, self.settings["range_rad"]).transpose(1, 0, 2)
        if (noise := self.settings["input_noise_rad"]) > 0:
            draws = [np.random.default_rng([self.settings["seed"], 1, first_frame_id + i]) for i in range(len(frames))]
            q = q + noise * np.stack([d.standard_normal(self.shape, np.float32) for d in draws], axis=1)
        q, _ = self.swing(q, *self.held, np.float32(1 + self.settings["detuning"]))
        return codes(q.transpose(1, 0, 2), self.settings["range_rad"])

    def forward_model(self, x, theta):
        q, _ = self.swing(angles(x, self.settings["range_rad"]).transpose(1, 0, 2), *self.built(theta))
        return MIDDLE * (1 + q.transpose(1, 0, 2) / self.settings["range_rad"])

    def vjp(self, x, grad_y, theta):
        """The steps backwards. A code of an input is as much as one of an output; one of the programme is 1 / range_rad of that."""
        j, e = self.built(theta)
        _, seen = self.swing(angles(x, self.settings["range_rad"]).transpose(1, 0, 2), j, e)
        g, pull = np.ascontiguousarray(grad_y.transpose(1, 0, 2)), 0
        total = 1 + j.sum(axis=2)[:, None]
        pulls, sines = [], []
        for q, kick in zip(reversed(seen), reversed(kicks(len(seen), self.step_s))):
            pull = pull + self.step_s * g  # on the velocity
            a = kick * pull
            g = g + np.cos(q) * (a @ j - total * a)
            pulls.append(a)
            sines.append(np.sin(q))
        a, s = np.concatenate(pulls, axis=1), np.concatenate(sines, axis=1)
        of_j = a.transpose(0, 2, 1) @ s - (a * s).sum(axis=1)[:, :, None]  # of J_ij as it pulls on i
        of_j = of_j + of_j.transpose(0, 2, 1)
        slopes = [self.settings["coupling_s2"] * of_j[:, self.upper[0], self.upper[1]], self.settings["force_s2"] * a.sum(axis=1)]
        return g.transpose(1, 0, 2), np.concatenate(slopes, axis=1) / np.float32(self.settings["range_rad"])
