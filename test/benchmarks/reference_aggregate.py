"""Milliseconds (median) of averaging made updates with NumPy in 32 bits: reference_aggregate.py PARAMETERS SITES REPEATS."""
import statistics
import sys
import time
from functools import reduce

import numpy as np

parameters, sites, repeats = (int(float(text)) for text in sys.argv[1:4])
generator = np.random.default_rng(1)
updates = [generator.random(parameters, dtype=np.float32) for _ in range(sites)]
weights = [100 + 37 * site for site in range(sites)]
timings = []
for _ in range(repeats + 1):
    started = time.perf_counter()
    reduce(np.add, (update * weight for update, weight in zip(updates, weights))) / sum(weights)
    timings.append(1000 * (time.perf_counter() - started))
print(statistics.median(timings[1:]))
