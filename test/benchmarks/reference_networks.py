"""The reference's networks, written from their published descriptions, with deterministic weights.

GenesisUNet: Zhou et al., MedIA 67:101840 (2021), PyTorch variant. MedicalNet: Chen et al., arXiv 1904.00625, ResNet-10 with
shortcut B and the segmentation head of its demonstration. Parameters are registered in the engine's order.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

NORMS = {"batch": nn.BatchNorm3d, "instance": lambda channels: nn.InstanceNorm3d(channels, affine=True)}


def made_values(stream, count):
    """Value i of a stream in [0, 1): the finaliser of MurmurHash3, as in made-values.mjs."""
    mask = 0xFFFFFFFF
    bits = (torch.arange(count, dtype=torch.int64) + ((stream + 1) * 0x9E3779B1 & mask)) & mask
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) & mask
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) & mask
    return ((bits ^ (bits >> 16)) >> 8).to(torch.float32) / 0x1000000


def load_made_weights(network):
    """Kernels uniform in one over the root of the fan-in, norm scales 1, everything else 0."""
    stream = 2
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() < 2:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
                continue
            bound = 1 / math.sqrt(parameter.numel() // parameter.shape[0])
            parameter.copy_((2 * made_values(stream, parameter.numel()) - 1).mul_(bound).view(parameter.shape))
            stream += 1


class GenesisUNet(nn.Module):
    """Four levels of two units, max pooling down, transposed convolution up, skips by concatenation; logits out."""

    def __init__(self, width, norm):
        super().__init__()
        w = width

        def pair(*channels):
            layers = []
            for before, after in zip(channels, channels[1:]):
                layers += [nn.Conv3d(before, after, 3, padding=1), NORMS[norm](after), nn.ReLU(inplace=True)]
            return nn.Sequential(*layers)

        self.e1, self.e2 = pair(1, w, 2 * w), pair(2 * w, 2 * w, 4 * w)
        self.e3, self.e4 = pair(4 * w, 4 * w, 8 * w), pair(8 * w, 8 * w, 16 * w)
        self.u3, self.d3 = nn.ConvTranspose3d(16 * w, 16 * w, 2, 2), pair(24 * w, 8 * w, 8 * w)
        self.u2, self.d2 = nn.ConvTranspose3d(8 * w, 8 * w, 2, 2), pair(12 * w, 4 * w, 4 * w)
        self.u1, self.d1 = nn.ConvTranspose3d(4 * w, 4 * w, 2, 2), pair(6 * w, 2 * w, 2 * w)
        self.out = nn.Conv3d(2 * w, 1, 1)

    def forward(self, x):
        s1 = self.e1(x)
        s2 = self.e2(F.max_pool3d(s1, 2))
        s3 = self.e3(F.max_pool3d(s2, 2))
        y = self.e4(F.max_pool3d(s3, 2))
        y = self.d3(torch.cat([self.u3(y), s3], 1))
        y = self.d2(torch.cat([self.u2(y), s2], 1))
        y = self.d1(torch.cat([self.u1(y), s1], 1))
        return self.out(y)


class BasicBlock(nn.Module):
    def __init__(self, before, after, stride, dilation, norm):
        super().__init__()
        self.conv1 = nn.Conv3d(before, after, 3, stride, dilation, dilation, bias=False)
        self.bn1 = NORMS[norm](after)
        self.conv2 = nn.Conv3d(after, after, 3, 1, dilation, dilation, bias=False)
        self.bn2 = NORMS[norm](after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv3d(before, after, 1, stride, bias=False), NORMS[norm](after))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + shortcut, inplace=True)


class MedicalNet10(nn.Module):
    """Output stride 8 by dilation; the head doubles once: a quarter of each side, two logits."""

    def __init__(self, width, norm):
        super().__init__()
        w = width
        self.conv1 = nn.Conv3d(1, w, 7, 2, 3, bias=False)
        self.bn1 = NORMS[norm](w)
        self.layer1 = nn.Sequential(BasicBlock(w, w, 1, 1, norm))
        self.layer2 = nn.Sequential(BasicBlock(w, 2 * w, 2, 1, norm))
        self.layer3 = nn.Sequential(BasicBlock(2 * w, 4 * w, 1, 2, norm))
        self.layer4 = nn.Sequential(BasicBlock(4 * w, 8 * w, 1, 4, norm))
        head = max(1, w // 2)
        self.conv_seg = nn.Sequential(
            nn.ConvTranspose3d(8 * w, head, 2, 2),
            NORMS[norm](head),
            nn.ReLU(inplace=True),
            nn.Conv3d(head, head, 3, padding=1, bias=False),
            NORMS[norm](head),
            nn.ReLU(inplace=True),
            nn.Conv3d(head, 2, 1, bias=False),
        )

    def forward(self, x):
        y = F.max_pool3d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        return self.conv_seg(self.layer4(self.layer3(self.layer2(self.layer1(y)))))


def build(network, width, norm, layout):
    """The network with made weights, in training mode (the published code uses batch statistics at inference too)."""
    result = {"unet3d": GenesisUNet, "resnet10": MedicalNet10}[network](width, norm)
    load_made_weights(result)
    return result.to(memory_format=MEMORY_FORMATS[layout])


MEMORY_FORMATS = {"channels_last": torch.channels_last_3d, "default": torch.contiguous_format}
