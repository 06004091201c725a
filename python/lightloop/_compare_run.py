"""One run of `ll.compare`, in a process of its own: settings as JSON on stdin, the result as JSON on stdout."""

import json
import sys


def main() -> int:
    import numpy as np

    import lightloop as ll
    from lightloop._compare import number

    asked = json.load(sys.stdin)
    data = asked["dataset"]
    if asked["data"]:
        with np.load(asked["data"]) as arrays:
            data = ((arrays["x"], arrays["y"]), (arrays["x_test"], arrays["y_test"]))
    try:
        run = ll.train(data, asked["rule"], asked["device"], settings=asked["settings"], progress=False)
    except KeyboardInterrupt:
        return 130
    except (ll.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    losses = [number(float(loss)) for loss in run.curves["test_loss"][-1:]]
    scores = {"test_accuracy": number(run.test_accuracy), "test_loss": losses[0] if losses else None}
    print(json.dumps({**scores, **run.facts}, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
