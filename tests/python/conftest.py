import numpy as np
import pytest

import lightloop as ll

SMALL = {"input.size": 32, "output.size": 64}


@pytest.fixture
def device():
    with ll.open("sim:opu,seed=1", SMALL) as opened:
        yield opened


@pytest.fixture
def bits():
    return np.random.default_rng(1).integers(0, 2, size=(20, 32), dtype=np.uint8)
