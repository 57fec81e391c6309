"""One Models Genesis pair as the public Python code makes it: loops over windows, 100,000 points of the curve, np.interp.

Written from the published facts (Zhou et al., MedIA 2021), not copied: order, probabilities and window sizes are those of
the code generation of February 2020. The figures include making the copy that becomes the target.
"""
import sys

import numpy as np
import scipy
from reference_channel import Clock, facts, send, serve
from scipy.special import comb

SIZE = (64, 64, 32)
CURVE_POINTS = 100_000


def flip(pair, random):
    for _ in range(3):
        if random.random() >= 0.4:
            break
        axis = random.integers(0, 3)  # the channel, x or y
        pair = [np.flip(cube, axis) for cube in pair]
    return pair


def local_shuffle(cube, random):
    if random.random() >= 0.5:
        return cube
    source, shuffled = cube.copy(), cube.copy()
    _, nx, ny, nz = cube.shape
    for _ in range(10_000):
        sx, sy, sz = (random.integers(1, side // 10 + 1) for side in (nx, ny, nz))
        x, y, z = (random.integers(0, n - s + 1) for n, s in ((nx, sx), (ny, sy), (nz, sz)))
        window = source[0, x : x + sx, y : y + sy, z : z + sz].flatten()
        random.shuffle(window)
        shuffled[0, x : x + sx, y : y + sy, z : z + sz] = window.reshape(sx, sy, sz)
    return shuffled


def bernstein(i, n, t):
    return comb(n, i) * t ** (n - i) * (1 - t) ** i


def nonlinear_intensity(cube, random):
    if random.random() >= 0.9:
        return cube
    points = [(0, 0), (random.random(), random.random()), (random.random(), random.random()), (1, 1)]
    t = np.linspace(0, 1, CURVE_POINTS)
    basis = np.array([bernstein(i, 3, t) for i in range(4)])
    xs = np.dot(np.array([x for x, _ in points]), basis)
    ys = np.dot(np.array([y for _, y in points]), basis)
    xs = np.sort(xs)
    if random.random() >= 0.5:
        ys = np.sort(ys)
    return np.interp(cube, xs, ys)


def sides_and_start(low, high, random, keep):
    sides, start = [], []
    for n, least, most in zip(SIZE, low, high):
        side = random.integers(least, most + 1)
        side = n - side if keep else side
        sides.append(side)
    for n, side in zip(SIZE, sides):
        start.append(random.integers(3, n - side - 3 + 1))
    return tuple(slice(s, s + side) for s, side in zip(start, sides)), sides


def in_paint(cube, random):
    count = 5
    low, high = [n // 6 for n in SIZE], [n // 3 for n in SIZE]
    while count > 0 and random.random() < 0.95:
        box, sides = sides_and_start(low, high, random, keep=False)
        cube[(slice(None), *box)] = random.random(sides)
        count -= 1
    return cube


def out_paint(cube, random):
    count = 5
    low, high = [3 * n // 7 for n in SIZE], [4 * n // 7 for n in SIZE]
    original = cube.copy()
    cube = np.repeat(random.random((1, *cube.shape[1:])), cube.shape[0], axis=0)
    while count > 0 and (count == 5 or random.random() < 0.95):
        box, _ = sides_and_start(low, high, random, keep=True)
        cube[(slice(None), *box)] = original[(slice(None), *box)]
        count -= 1
    return cube


def make_pair(cube, random):
    target = cube.copy()
    distorted, target = flip([cube.copy(), target], random)
    distorted = local_shuffle(distorted, random)
    distorted = nonlinear_intensity(distorted, random)
    if random.random() < 0.9:
        distorted = in_paint(distorted.copy(), random) if random.random() < 0.2 else out_paint(distorted, random)
    return distorted, target


RANDOM = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
CUBE = RANDOM.random((1, *SIZE)).astype(np.float32)
clock = Clock()


def pairs(count):
    _, times = clock.measure(lambda: [make_pair(CUBE, RANDOM) and None for _ in range(int(count))])
    return times


send({"engine": f"NumPy {np.__version__}, SciPy {scipy.__version__}", **facts()})
serve({"pairs": pairs, "facts": facts})
