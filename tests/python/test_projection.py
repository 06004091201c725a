"""Projections and the scikit-learn transformer."""

import pickle

import numpy as np
import pytest

import lightloop as ll

IDEAL = "sim:opu,preset=ideal,seed=2"


@pytest.fixture
def x():
    return np.random.default_rng(3).choice([-1.0, 0.0, 1.0], size=(12, 10)).astype(np.float32)


def test_linear_is_linear_with_unit_variance(x):
    with ll.Projection(IDEAL, 10, 400) as projection:
        matrix = projection.linear(np.eye(10, dtype=np.float32)).T
        y = projection.linear(x)
    assert y.shape == (12, 400) and y.dtype == np.float32
    # E[B^2] = 1: the mean of 4000 squares of normals is within 4 sigma = 4 sqrt(2 / 4000) of 1, plus 5 % of calibration
    assert abs((matrix**2).mean() - 1) < 0.09 + 0.05
    assert np.corrcoef(y.ravel(), (x @ matrix.T).ravel())[0, 1] > 0.999


def test_rows_of_another_array_are_read_without_a_copy_and_other_layouts_refused(x):
    with ll.Projection(IDEAL, 10, 20) as projection:
        whole = projection.linear(x)
        wide = np.zeros((12, 15), np.float32)
        wide[:, :10] = x
        assert np.allclose(projection.linear(wide[:, :10]), whole)
        for wrong in (x.astype(np.float64), np.asfortranarray(x), x[:, ::-1], x.tolist()):
            with pytest.raises(TypeError, match=r"np\.ascontiguousarray\(x, dtype=np\.float32\)"):
                projection.linear(wrong)
        with pytest.raises(ll.ShapeMismatch, match=r"x\[None\]"):
            projection.linear(x[0])
        with pytest.raises(ll.ShapeMismatch):
            projection.linear(x[:, :9])


def test_sizes_default_to_what_fits_the_device():
    with ll.open(IDEAL, {"input.size": 30, "output.size": 100}) as device:
        projection = ll.Projection(device)
        assert projection.linear(np.ones((1, projection.n_in), np.float32)).shape == (1, projection.n_out)
        intensity = ll.Projection(device, readout="intensity")
        assert (intensity.n_in, intensity.n_out) == (30, 100)


def test_cost_is_an_upper_bound_on_what_is_used(x):
    with ll.Projection("sim:opu,seed=2", 10, 20, readout="anchor") as projection:
        projection.calibrate()
        before = projection.device.meter.frames
        projection.linear(x)
        assert 0 < projection.device.meter.frames - before <= projection.cost(len(x)).frames
        assert 0.5 < projection.probe().repeat_correlation <= 1


def test_intensity_is_the_square_of_a_field(x):
    with ll.Projection(IDEAL, 10, 2000, readout="intensity") as projection:
        y = projection.intensity(np.eye(10, dtype=np.float32))
    # |h|^2 of a complex Gaussian with one grain is exponential: mean 1, standard deviation 1; 20000 draws
    assert abs(y.mean() - 1) < 4 / np.sqrt(y.size) + 0.05
    assert abs(y.std() / y.mean() - 1) < 0.05


sklearn = pytest.importorskip("sklearn")


@pytest.mark.filterwarnings("ignore")
def test_opu_passes_every_scikit_learn_check_with_noise_off():
    from sklearn.utils.estimator_checks import check_estimator

    ran = 0
    for estimator, check in check_estimator(ll.OPU(n_components=8, device="sim:opu,preset=ideal"), generate_only=True):
        check(estimator)
        ran += 1
    assert ran > 30


def test_opu_declares_noise():
    assert ll.OPU()._get_tags()["non_deterministic"]
    assert not ll.OPU(device="sim:opu,preset=ideal")._get_tags()["non_deterministic"]


def test_opu_pickles_with_its_state_and_goes_on_as_the_original():
    x = np.random.default_rng(0).random((30, 6))
    opu = ll.OPU(n_components=12, device="sim:opu", random_state=4).fit(x)
    opu.transform(x)
    linear = opu.linear_transform(x)
    copy = pickle.loads(pickle.dumps(opu))
    assert (copy.transform(x) == opu.transform(x)).all()
    assert linear.shape == (30, 12) and (copy.linear_transform(x) == opu.linear_transform(x)).all()


def test_opu_encodings_are_checked_and_random_state_is_the_device_seed():
    x = np.random.default_rng(0).random((5, 3))
    with pytest.raises(ll.InvalidParameter, match="thermometer"):
        ll.OPU(encoding="gray").fit(x)
    assert ll.OPU(4, random_state=9).fit(x).device_.settings["seed"] == 9
    assert ll.OPU(4, device="sim:opu,seed=5", random_state=9).fit(x).device_.settings["seed"] == 5


def test_a_calibration_tells_what_it_found_and_warns_of():
    with ll.Projection("sim:opu,seed=1", 10, 64) as projection:
        found = projection.calibrate()
        assert 0 < found.exposure_s < 0.01 and found.signal_code > 0 and found.warnings == []
        assert projection.report.exposure_s == found.exposure_s
    with ll.Projection("sim:opu,seed=1", 10, 64, exposure=1.0) as projection:
        assert "clipped" in projection.calibrate().warnings[0]
