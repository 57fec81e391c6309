/** The blocks of a network in forward order, by the beginnings of their parameters' names. */
import {
  type GenesisClassifierSpec,
  type MedicalnetSpec,
  outputLayerPrefix,
  residualUnet3dPlan,
  type ResidualUnet3dSpec,
  type Unet3dSpec,
  unet3dBlocks,
  unet3dEncoder,
} from '@consilium/shared/models';

/** A network that fine-tuning can train; what else a model spec may be has one of these inside (see start-network). */
export type FinetunedSpec = Unet3dSpec | ResidualUnet3dSpec | GenesisClassifierSpec | MedicalnetSpec;

/** head: layers of a classifier that no pretraining has; output: the last layer, which belongs to the task. */
export type ModelPart = 'encoder' | 'decoder' | 'head' | 'output';

export interface ModelBlock {
  readonly part: ModelPart;
  readonly prefixes: readonly string[];
}

export function blocksOf(spec: FinetunedSpec): readonly ModelBlock[] {
  const output: ModelBlock = { part: 'output', prefixes: [outputLayerPrefix(spec)] };
  switch (spec.architecture) {
    case 'genesis-unet3d': {
      const { encoder, decoder } = unet3dBlocks(spec);
      const raised = decoder.map(({ name }) => block('decoder', `u${name.slice(1)}.`, `${name}.`)); // d3 reads u3
      return [...encoder.map(({ name }) => block('encoder', `${name}.`)), ...raised, output];
    }
    case 'genesis-classifier':
      return [...unet3dEncoder(spec).map(({ name }) => block('encoder', `${name}.`)), output, block('head', 'head.')];
    case 'residual-unet3d': {
      const { encoder, decoder } = residualUnet3dPlan(spec);
      const stages = encoder.map((_, index) => block('encoder', `encoder.stages.${index}.`));
      const raised = decoder.map(({ transposed, unit }) => block('decoder', `${transposed}.`, `${unit}.`));
      return [block('encoder', 'encoder.stem.'), ...stages, ...raised, output];
    }
    case 'medicalnet-resnet': {
      const layers = [1, 2, 3, 4].map((layer) => block('encoder', `layer${layer}.`));
      return [block('encoder', 'conv1.', 'bn1.'), ...layers, output, block('decoder', 'conv_seg.')];
    }
  }
}

function block(part: ModelPart, ...prefixes: string[]): ModelBlock {
  return { part, prefixes };
}

/** Which block a parameter belongs to; the first that fits, so that an output layer may lie within a head's name. */
export function blockOf(name: string, blocks: readonly ModelBlock[]): ModelBlock | undefined {
  return blocks.find(({ prefixes }) => prefixes.some((prefix) => name.startsWith(prefix)));
}

/** Blocks between this one and the output, which has none; heads and outputs count as one place. */
export function distanceToOutput(block: ModelBlock, blocks: readonly ModelBlock[]): number {
  if (isOfTask(block)) return 0;
  const pretrained = blocks.filter((other) => !isOfTask(other));
  return pretrained.length - pretrained.indexOf(block);
}

/** True for layers that a start model's task had no use for. */
export function isOfTask({ part }: ModelBlock): boolean {
  return part === 'head' || part === 'output';
}
