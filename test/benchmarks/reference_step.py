"""PyTorch's side of the step benchmark: forward, sigmoid, mean squared error, backward, update; one step for each line."""
import torch
import torch.nn.functional as F
from reference_channel import Clock, facts, read_options, send, serve
from reference_networks import MEMORY_FORMATS, build, made_values

options = read_options()
if options.threads:
    torch.set_num_threads(options.threads)
network = build(options.network, options.width, options.norm, options.layout)
optimizer = (
    torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    if options.optimizer == "sgd"
    else torch.optim.Adam(network.parameters(), lr=0.001)
)
x, y, z = options.patch
voxels = options.batch * x * y * z
data = made_values(0, voxels).view(options.batch, 1, x, y, z).to(memory_format=MEMORY_FORMATS[options.layout])


def made_target(shape):
    """The engine's values are laid out [patch, x, y, z, output]."""
    batch, outputs, *size = shape
    target = made_values(1, batch * outputs * size[0] * size[1] * size[2]).view(batch, *size, outputs)
    return target.permute(0, 4, 1, 2, 3)


quarter = options.network == "resnet10"
target = made_target([options.batch, 2 if quarter else 1, *(-(-side // 4) if quarter else side for side in options.patch)])
target = target.contiguous(memory_format=MEMORY_FORMATS[options.layout])


def train():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
        answer = torch.sigmoid(network(data))
    loss = F.mse_loss(answer.float(), target)
    loss.backward()
    optimizer.step()
    return loss.item()


clock = Clock()


def step():
    loss, times = clock.measure(train)
    return {**times, "loss": loss}


send(
    {
        "engine": f"PyTorch {torch.__version__}",
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "layout": options.layout,
        "threads": torch.get_num_threads(),
        **facts(),
    }
)
serve({"step": step, "facts": facts})
