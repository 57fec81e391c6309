/**
 * The network as a PyTorch module, written beside an exported model so that three lines of Python load it. It reads width,
 * norm and up-sampling from the weight file itself.
 */
export const PYTORCH_MODULE_FILE = 'genesis_unet3d.py';

export const PYTORCH_MODULE = `"""Models Genesis 3D U-Net for weights that "site-agent export" wrote. Needs torch and safetensors.

    from genesis_unet3d import load
    model, facts = load("model.safetensors")
    probabilities = model(patches)  # [patch, 1, x, y, z] scaled to [0, 1]; sides are multiples of 8
"""
import json
import math

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional


def _norm(channels, norm, groups=8, batchStatistics="always"):
    if norm == "group":
        return nn.GroupNorm(math.gcd(groups, channels), channels)
    if norm == "batch":  # as published there are no running statistics: the batch at hand gives its own
        return nn.BatchNorm3d(channels, track_running_stats=batchStatistics == "training")
    return nn.InstanceNorm3d(channels, affine=True)


def _units(choice, first, middle, last):
    layers = []
    for before, after in ((first, middle), (middle, last)):
        layers += [nn.Conv3d(before, after, kernel_size=3, padding=1), _norm(after, **choice), nn.ReLU()]
    return nn.Sequential(*layers)


class GenesisUnet3d(nn.Module):
    def __init__(self, width, upsampling="transposed", inputChannels=1, outputs=1, architecture="genesis-unet3d", **norm):
        super().__init__()
        for level in (1, 2, 3, 4):
            first = inputChannels if level == 1 else 2 ** (level - 1) * width
            setattr(self, f"e{level}", _units(norm, first, 2 ** (level - 1) * width, 2**level * width))
        for level in (3, 2, 1):
            below, here = 2 ** (level + 1) * width, 2**level * width
            if upsampling == "transposed":
                setattr(self, f"u{level}", nn.ConvTranspose3d(below, below, kernel_size=2, stride=2))
            else:
                setattr(self, f"u{level}", nn.Upsample(scale_factor=2, mode="nearest"))
            setattr(self, f"d{level}", _units(norm, below + here, here, here))
        self.out = nn.Conv3d(2 * width, outputs, kernel_size=1)

    def forward(self, patches):
        skips = [self.e1(patches)]
        for encode in (self.e2, self.e3, self.e4):
            skips.append(encode(functional.max_pool3d(skips[-1], 2)))
        features = skips.pop()
        for raise_, decode in ((self.u3, self.d3), (self.u2, self.d2), (self.u1, self.d1)):
            features = decode(torch.cat([raise_(features), skips.pop()], dim=1))
        return torch.sigmoid(self.out(features))


def load(path):
    """The model with its weights, and what the file knows of its task (None when it was pretrained only)."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name).float() for name in file.keys()}
    model = GenesisUnet3d(**json.loads(metadata["modelSpec"]))
    model.load_state_dict(weights)
    model.eval()
    facts = metadata.get("segmentation")
    return model, None if facts is None else json.loads(facts)
`;
