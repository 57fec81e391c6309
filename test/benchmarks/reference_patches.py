"""Patches cut from a memory-mapped .npy file: seconds of each, or bytes that came from disk for each when cold."""
import json
import os
import re
import subprocess
import sys
import time

import numpy as np

request = json.loads(sys.argv[1])
size = request["patch"]


def bytes_from_disk():
    with open("/proc/self/io") as file:
        return int(re.search(r"^read_bytes: (\d+)$", file.read(), re.M)[1])


def cut(array, start):
    x, y, z = start
    return np.ascontiguousarray(array[x : x + size[0], y : y + size[1], z : z + size[2]])


def evict(path):
    subprocess.run(["sync", path], check=True)
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


results = []
if request["cold"]:
    for start in request["starts"]:
        evict(request["path"])
        before = bytes_from_disk()
        cut(np.load(request["path"], mmap_mode="r"), start)
        results.append(bytes_from_disk() - before)
else:
    mapped = np.load(request["path"], mmap_mode="r")
    np.asarray(mapped).sum()
    for start in request["starts"]:
        begin = time.perf_counter()
        cut(mapped, start)
        results.append(time.perf_counter() - begin)
print(json.dumps({"results": results, "numpy": np.__version__}))
