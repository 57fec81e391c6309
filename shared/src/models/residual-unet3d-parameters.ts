import {
  type Channels,
  convolutionParameters,
  cube,
  kaimingNormalLeaky,
  normParameters,
  type Sides,
  transposedParameters,
} from './layer-parameters.js';
import type { ParameterSpec } from './parameter-spec.js';
import {
  type DecoderStage,
  type EncoderBlock,
  RESIDUAL_UNET3D_SLOPE,
  residualUnet3dPlan,
  type ResidualUnet3dSpec,
} from './residual-unet3d-spec.js';

const START = { rule: kaimingNormalLeaky(RESIDUAL_UNET3D_SLOPE), bias: 'zeros' } as const;

/**
 * All parameters in the registration order of the published package: stem, encoder stages, then the decoder's convolutions,
 * transposed convolutions and output layers. The output layers of deep supervision are there too, so that files fit both ways.
 */
export function residualUnet3dParameters(spec: ResidualUnet3dSpec): ParameterSpec[] {
  const { stem, encoder, decoder } = residualUnet3dPlan(spec);
  const running = spec.norm === 'batch';
  return [
    ...unitParameters(stem.name, [spec.inputChannels, stem.channels], stem.kernel, running),
    ...encoder.flat().flatMap((block) => blockParameters(block, running)),
    ...decoder.flatMap(({ unit, channels, kernel }) => unitParameters(unit, [2 * channels, channels], kernel, running)),
    ...decoder.flatMap(({ transposed, input, channels, stride }) =>
      transposedParameters(transposed, [input, channels], { sides: stride, ...START }),
    ),
    ...decoder.flatMap((stage) => outputParameters(stage, spec.outputs)),
  ];
}

function unitParameters(name: string, channels: Channels, sides: Sides, running: boolean): ParameterSpec[] {
  return [
    ...convolutionParameters(`${name}.conv`, channels, { sides, ...START }),
    ...normParameters(`${name}.norm`, channels[1], { running }),
  ];
}

// The last scale before the sum starts at zero, so that each block starts as its shortcut.
function blockParameters(block: EncoderBlock, running: boolean): ParameterSpec[] {
  const { name, input, output, kernel, projection } = block;
  const parameters = [
    ...unitParameters(`${name}.conv1`, [input, output], kernel, running),
    ...convolutionParameters(`${name}.conv2.conv`, [output, output], { sides: kernel, ...START }),
    ...normParameters(`${name}.conv2.norm`, output, { running, scale: 'zeros' }),
  ];
  if (projection === undefined) return parameters;
  return [
    ...parameters,
    ...convolutionParameters(`${projection}.conv`, [input, output], { sides: cube(1), rule: START.rule, bias: 'none' }),
    ...normParameters(`${projection}.norm`, output, { running }),
  ];
}

function outputParameters({ output, channels }: DecoderStage, outputs: number): ParameterSpec[] {
  return convolutionParameters(output, [channels, outputs], { sides: cube(1), ...START });
}
