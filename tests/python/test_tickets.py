"""Sessions that do not wait: tickets, await, states, provenance, faults."""

import asyncio
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll

SIZES = {"input.size": 32, "output.size": 64}


def test_tickets_are_answered_in_order_and_carry_their_provenance(device, bits):
    direct = [device.run(bits), device.run(bits)]
    with ll.open(device.address, SIZES) as other:
        tickets = [other.submit(bits), other.submit(bits[0])]
        assert (tickets[0].result() == direct[0]).all()
        assert (tickets[1].result(timeout=60) == direct[1][0]).all() and tickets[1].ready()
        where = tickets[1].provenance
        assert (where.first_frame_id, where.last_frame_id, where.retries) == (20, 20, 0)
        assert where.device == device.address and tickets[0].first_frame_id == 0
        with pytest.raises(ValueError, match="read-only"):
            tickets[0].result()[0] = 1


def test_await_gives_the_codes(device, bits):
    async def all_of_them():
        return await asyncio.gather(*[device.submit(bits[i]) for i in range(4)])

    answers = asyncio.run(all_of_them())
    with ll.open(device.address, SIZES) as other:
        assert (np.stack(answers) == other.run(bits[:4])).all()


def test_a_full_queue_is_busy_and_a_waiting_job_can_be_called_off(bits):
    with ll.open("sim:opu,clock=wall,dmd.frame_time=0.02 s", SIZES, session={"queue": 2}) as slow:
        first, second = slow.submit(bits), slow.submit(bits)
        with pytest.raises(ll.Busy, match=r"session\.queue = 2"):
            slow.submit(bits)
        with pytest.raises(ll.WaitTimeout):
            second.result(timeout=0.01)
        assert slow.state == "running" and second.cancel() and not first.cancel()
        with pytest.raises(ll.Cancelled):
            second.result()


def test_a_lost_link_is_told_and_repaired(tmp_path, bits):
    script = tmp_path / "script.toml"
    script.write_text("[disconnect]\nat = [5]\nattempts = 1\n[drop]\nat = [30]\n")
    with ll.open("sim:opu", SIZES) as fine, ll.open(f"fault:{script}@sim:opu", SIZES) as faulty:
        for _ in range(2):
            assert (fine.run(bits) == faulty.run(bits)).all()
        assert faulty.state == "ready" and faulty.meter.retries == 2
        assert faulty.meter.losses == faulty.meter.reopened == 1
        assert any("the link broke at frame 5" in event.text for event in faulty.events)


def test_policy_is_checked_and_shown(device):
    assert device.policy["retries"] == 5
    assert {p.name for p in ll._core.session_params()} == set(device.policy)
    with pytest.raises(ll.UnknownName, match="retries"):
        ll.open("sim:opu", session={"retires": 3})


def test_a_session_records_itself(tmp_path, device, bits):
    recording = device.record(str(tmp_path / "rec.h5"))
    codes = device.run(bits)
    recording.close()
    with ll.open(f"replay:{tmp_path / 'rec.h5'}") as replay:
        assert (replay.run(bits) == codes).all()


def test_training_through_a_faulty_device_gives_the_same_weights_and_tells(tmp_path):
    script = tmp_path / "script.toml"
    script.write_text("seed = 1\n[drop]\nrate = 1e-3\n[disconnect]\nat = [900]\n")
    rng = np.random.default_rng(1)
    data = (rng.normal(size=(200, 20)).astype(np.float32), np.arange(200) % 5)

    def run(device):
        return ll.train((data, data), "tdfa", device, net="20-16-5", epochs=2, seed=1, progress=False)

    fine, faulty = run("sim:opu"), run(f"fault:{script}@sim:opu")
    assert faulty.facts["weights_sha256"] == fine.facts["weights_sha256"]
    assert any("the link broke" in text for text in faulty.facts["warnings"])


def test_a_few_broken_benches_end_with_the_right_weights_or_an_error(tmp_path):
    path = Path(__file__).parents[2] / "tools" / "results" / "fault_campaign.py"
    spec = importlib.util.spec_from_file_location("fault_campaign", path)
    campaign = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(campaign)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        protected = campaign.campaign(0, 24, True)
        assert not any(r["wrong"] or r["miscounted"] for r in protected)
        assert sum(r["injected"] > 0 for r in protected) > 12
        assert any(r["wrong"] for r in campaign.campaign(0, 24, False))  # the campaign can tell
