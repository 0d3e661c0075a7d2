"""The rungs of pure_python's matmul, timed by whatever Python runs this: the standard library alone.

PYTHONPATH=FOLDER python -P ladder.py < {"a": …, "b": …, "max_time": …, "min_rounds": …}
"""

import json
import sys
from functools import partial
from timeit import Timer

from pure_python import MATMULS

ROUND = 0.0005  # seconds that a round should last at least, as in `absolute`


def main() -> None:
    """Read the matrices, write of each rung the product, and seconds a call, round by round."""
    given = json.load(sys.stdin)
    found = {}
    for rung, matmul in MATMULS.items():
        product = matmul(given["a"], given["b"])  # warms up
        timer = Timer(partial(matmul, given["a"], given["b"]))
        calls = max(1, round(ROUND / timer.timeit(1)))
        rounds: list[float] = []
        while len(rounds) < given["min_rounds"] or sum(rounds) < given["max_time"]:
            rounds.append(timer.timeit(calls))
        found[rung] = {"product": product, "seconds": [seconds / calls for seconds in rounds]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
