import {
  convolutionParameters,
  type ConvolutionOptions,
  cube,
  kaimingNormalFanOut,
  linearParameters,
  normParameters,
  transposedParameters,
} from './layer-parameters.js';
import {
  medicalnetBlocks,
  medicalnetFeatures,
  medicalnetHeadWidth,
  type MedicalnetSpec,
  type ResidualBlock,
} from './medicalnet-spec.js';
import type { ParameterSpec } from './parameter-spec.js';

/** All parameters in PyTorch's registration order: conv1, bn1, layer1 … layer4, then the head. */
export function medicalnetParameters(spec: MedicalnetSpec): ParameterSpec[] {
  const running = spec.norm === 'batch';
  return [
    ...convolutionParameters('conv1', [spec.inputChannels, spec.width], plain(7)),
    ...normParameters('bn1', spec.width, { running }),
    ...medicalnetBlocks(spec).flatMap((block) => blockParameters(block, running)),
    ...headParameters(spec, running),
  ];
}

function blockParameters(block: ResidualBlock, running: boolean): ParameterSpec[] {
  const { name, kind, input, middle, output } = block;
  const units: readonly (readonly [from: number, to: number, side: number])[] =
    kind === 'basic'
      ? [
          [input, middle, 3],
          [middle, output, 3],
        ]
      : [
          [input, middle, 1],
          [middle, middle, 3],
          [middle, output, 1],
        ];
  const parameters = units.flatMap(([from, to, side], index) => [
    ...convolutionParameters(`${name}.conv${index + 1}`, [from, to], plain(side)),
    ...normParameters(`${name}.bn${index + 1}`, to, { running }),
  ]);
  if (block.shortcut !== 'convolved') return parameters;
  return [
    ...parameters,
    ...convolutionParameters(`${name}.downsample.0`, [input, output], plain(1)),
    ...normParameters(`${name}.downsample.1`, output, { running }),
  ];
}

function headParameters(spec: MedicalnetSpec, running: boolean): ParameterSpec[] {
  const features = medicalnetFeatures(spec);
  const width = medicalnetHeadWidth(spec);
  switch (spec.head) {
    case 'none':
      return [];
    case 'classification':
      return linearParameters('fc', [features, spec.outputs]);
    case 'direct-segmentation':
      return classConvolution('direct', features, spec.outputs);
    case 'branches':
      return (spec.branches ?? []).flatMap(({ name, outputs }) => classConvolution(`branches.${name}`, features, outputs));
    case 'segmentation':
    case 'raised-segmentation':
      return [
        ...transposedParameters('conv_seg.0', [features, width], { sides: cube(2) }),
        ...normParameters('conv_seg.1', width, { running }),
        ...convolutionParameters('conv_seg.3', [width, width], plain(3)),
        ...normParameters('conv_seg.4', width, { running }),
        ...convolutionParameters('conv_seg.6', [width, spec.outputs], plain(1)),
      ];
  }
}

// These are not released. PyTorch's default start: by fan-out, as below, the first answers would be far from undecided.
function classConvolution(name: string, features: number, outputs: number): ParameterSpec[] {
  return convolutionParameters(name, [features, outputs], { sides: cube(1) });
}

// As released: every plain convolution without bias and by fan-out; the transposed one is left at PyTorch's default.
function plain(side: number): ConvolutionOptions {
  return { sides: cube(side), rule: kaimingNormalFanOut, bias: 'none' };
}
