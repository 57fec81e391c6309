"""The measured process' end of the conversation: one line in, one JSON line out; waiting for a line costs no time."""
import argparse
import json
import resource
import sys
import time

DEFAULTS = {"steps": "7", "warmup": "2", "threads": None}


def read_options(*more):
    """The options of options.mjs, which always gives them all; numbers as numbers."""
    parser = argparse.ArgumentParser()
    for name in ["network", "norm", "width", "batch", "patch", "precision", "optimizer", "layout", *DEFAULTS, *more]:
        parser.add_argument(f"--{name}", default=DEFAULTS.get(name))
    options = parser.parse_args()
    options.width, options.batch = int(options.width), int(options.batch)
    options.patch = sides(options.patch)
    options.threads = options.threads and int(options.threads)
    return options


def sides(text):
    return [int(side) for side in text.split(",")]


def send(answer):
    print(json.dumps(answer), flush=True)


def serve(answers):
    """Answers each line by the function that its first word names, until the parent hangs up."""
    while line := sys.stdin.readline().split():
        send(answers[line[0]](*line[1:]))


class Clock:
    """Seconds and processor seconds of some work, and the processor seconds since the last work ended."""

    def __init__(self):
        self.ended = time.process_time()

    def measure(self, work):
        idle = time.process_time() - self.ended
        processor, start = time.process_time(), time.perf_counter()
        value = work()
        seconds = time.perf_counter() - start
        self.ended = time.process_time()
        return value, {"seconds": seconds, "processorSeconds": self.ended - processor, "idleProcessorSeconds": idle}


def facts():
    try:
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # not Linux
    return {"peakRssMiB": round(peak / 1024)}
