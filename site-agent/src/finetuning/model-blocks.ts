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
  /** 0 for heads and outputs, 1 for the block before them, and so on. */
  readonly distanceToOutput: number;
}

type NamedBlock = Omit<ModelBlock, 'distanceToOutput'>;

export function blocksOf(spec: FinetunedSpec): readonly ModelBlock[] {
  const named = namedBlocks(spec);
  const pretrained = named.filter((block) => !isOfTask(block));
  return named.map((block) => ({
    ...block,
    distanceToOutput: isOfTask(block) ? 0 : pretrained.length - pretrained.indexOf(block),
  }));
}

function namedBlocks(spec: FinetunedSpec): readonly NamedBlock[] {
  const output: NamedBlock = { part: 'output', prefixes: [outputLayerPrefix(spec)] };
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

function block(part: ModelPart, ...prefixes: string[]): NamedBlock {
  return { part, prefixes };
}

/** Which block a parameter belongs to; the first that fits, so that an output layer may lie within a head's name. */
export function blockOf(name: string, blocks: readonly ModelBlock[]): ModelBlock | undefined {
  return blocks.find(({ prefixes }) => prefixes.some((prefix) => name.startsWith(prefix)));
}

/** True for layers that a start model's task had no use for. */
export function isOfTask({ part }: Pick<ModelBlock, 'part'>): boolean {
  return part === 'head' || part === 'output';
}
