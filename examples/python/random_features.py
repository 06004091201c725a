"""Ridge regression on optical random features of the digits, against the same regression on the pixels."""

from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lightloop as ll

train, test = ll.load_dataset("digits", seed=1)
x, y, x_test, y_test = train.features()[:4000], train.y[:4000], test.features(), test.y

plain = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000)).fit(x, y)
opu = ll.OPU(n_components=2000, device="sim:opu", random_state=0, encoding="threshold")
optical = make_pipeline(opu, StandardScaler(), RidgeClassifier(alpha=1000)).fit(x, y)

print(f"pixels           {100 * plain.score(x_test, y_test):.1f} %")
print(f"optical features {100 * optical.score(x_test, y_test):.1f} %")
print(f"device           {opu.device_.meter.frames} frames, {opu.device_.meter.device_s:.1f} s")
