"""Ridge regression on optical random features of the digits, against the same regression on the pixels."""

from sklearn.linear_model import RidgeClassifier

import lightloop as ll

train, test = ll.load_dataset("digits", seed=1)
x, y, x_test, y_test = train.features()[:4000], train.y[:4000], test.features()[:1000], test.y[:1000]

opu = ll.OPU(n_components=1500, device="sim:opu", random_state=0).fit(x)
optical = RidgeClassifier(alpha=10.0).fit(opu.transform(x), y)
plain = RidgeClassifier(alpha=10.0).fit(x, y)

print(f"pixels           {100 * plain.score(x_test, y_test):.1f} %")
print(f"optical features {100 * optical.score(opu.transform(x_test), y_test):.1f} %")
