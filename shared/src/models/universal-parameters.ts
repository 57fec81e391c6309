/** The parameters of the Universal Model: the backbone's, the scale classifier's, the modality adversary's (spec C5). */
import { convolutionParameters, cube, linearParameters, normParameters } from './layer-parameters.js';
import type { ParameterSpec } from './parameter-spec.js';
import { headParameters, type PooledHead } from './pooled-head.js';
import { unet3dParameters } from './unet3d-parameters.js';
import { universalBackbone, type UniversalSpec } from './universal-spec.js';

/** A stage of the adversary: it reads what the stage before gave beside an encoder level. */
export interface AdversaryStage {
  readonly name: string;
  readonly input: number;
  readonly output: number;
}

/** The three convolutions of the adversary and the width of its hidden linear layer. */
export interface AdversaryPlan {
  readonly stages: readonly AdversaryStage[];
  readonly pooled: number;
  readonly hidden: number;
  readonly classes: number;
}

/** The adversary of a spec; undefined where it is left out. */
export function adversaryPlan({ width: w, modalities, adversaryChannels: c = 2 * w }: UniversalSpec): AdversaryPlan | undefined {
  if (modalities === 0) return undefined;
  return {
    stages: [
      { name: 'modality.m1', input: 4 * w, output: c },
      { name: 'modality.m2', input: c + 8 * w, output: 2 * c },
      { name: 'modality.m3', input: 2 * c + 16 * w, output: 4 * c },
    ],
    pooled: 4 * c,
    hidden: 2 * c,
    classes: modalities,
  };
}

/** The scale classifier of a spec; undefined where it is left out. */
export function scaleHead({ width, scales, scaleFeatures }: UniversalSpec): PooledHead | undefined {
  if (scales === 0) return undefined;
  return { name: 'scale', features: 16 * width, hiddenFeatures: scaleFeatures, outputs: scales };
}

/** The backbone's parameters, then the scale classifier's, then the adversary's. */
export function universalParameters(spec: UniversalSpec): ParameterSpec[] {
  const [scale, adversary] = [scaleHead(spec), adversaryPlan(spec)];
  return [
    ...unet3dParameters(universalBackbone(spec)),
    ...(scale === undefined ? [] : headParameters(scale)),
    ...(adversary === undefined ? [] : adversaryParameters(adversary)),
  ];
}

function adversaryParameters({ stages, pooled, hidden, classes }: AdversaryPlan): ParameterSpec[] {
  return [
    ...stages.flatMap(({ name, input, output }) => [
      ...convolutionParameters(`${name}.0`, [input, output], { sides: cube(3) }),
      ...normParameters(`${name}.1`, output),
    ]),
    ...linearParameters('modality.head.0', [pooled, hidden]),
    ...linearParameters('modality.head.2', [hidden, classes]),
  ];
}
