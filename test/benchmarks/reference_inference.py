"""PyTorch's side of the inference benchmark: the same windows over the same volume, averaged where they overlap."""
import time

import torch
from reference_channel import facts, read_options, send, serve, sides
from reference_networks import MEMORY_FORMATS, build, made_values

options = read_options("volume", "windows-per-batch")
volume, patch, together = sides(options.volume), options.patch, int(options.windows_per_batch)
if options.threads:
    torch.set_num_threads(options.threads)
network = build(options.network, options.width, options.norm, options.layout)
voxels = made_values(0, volume[0] * volume[1] * volume[2]).view(volume)
sums, counts = torch.zeros(volume), torch.zeros(volume)


def starts(size, side):
    """Half a patch apart at most, evenly spread, the last one flush with the end (as the engine places them)."""
    last = size - side
    count = -(-last // (side // 2)) + 1
    return [int(i * last / max(1, count - 1) + 0.5) for i in range(count)]


windows = [
    tuple(slice(start, start + side) for start, side in zip((i, j, k), patch))
    for i in starts(volume[0], patch[0])
    for j in starts(volume[1], patch[1])
    for k in starts(volume[2], patch[2])
]
done = 0


def predict(chosen):
    data = torch.stack([voxels[window] for window in chosen])[:, None]
    data = data.contiguous(memory_format=MEMORY_FORMATS[options.layout])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
        answers = torch.sigmoid(network(data)).float()
    for window, answer in zip(chosen, answers):
        sums[window] += answer[0]
        counts[window] += 1


def advance(count):
    """The next `count` windows; after the last ones the mean."""
    global done
    processor, start = time.process_time(), time.perf_counter()
    end = min(done + int(count), len(windows))
    while done < end:
        predict(windows[done : min(done + together, end)])
        done = min(done + together, end)
    if done == len(windows):
        sums.div_(counts)
    return {"seconds": time.perf_counter() - start, "processorSeconds": time.process_time() - processor}


send(
    {
        "engine": f"PyTorch {torch.__version__}",
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "windows": len(windows),
        "windowsPerBatch": together,
        "layout": options.layout,
        **facts(),
    }
)
with torch.inference_mode():
    serve({"windows": advance, "facts": lambda: {**facts(), "mean": sums.double().mean().item()}})
