import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { FLOAT } from '../engine/attributes.js';
import { cast } from '../engine/ops/cast.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { DATA_TYPE } from '../engine/runtime/tensorflow-binding.js';
import { Tape } from '../engine/tape.js';
import type { Tensor } from '../engine/tensor.js';
import type { UniversalNetwork } from '../networks/universal.js';

/** What a network with heads says of some patches; row by row. */
export interface PatchObservation {
  /** After the sigmoid, laid out as a batch's targets. */
  readonly restored: Float32Array;
  /** Logits [patches, scales]; left out without a scale classifier. */
  readonly scale?: Float32Array | undefined;
  /** Logits [patches, modalities]; left out without an adversary. */
  readonly modality?: Float32Array | undefined;
  /** The mean of each channel of the bottleneck, [patches, channels]. */
  readonly features: Float32Array;
}

/**
 * One way through the network without a way back: no dropout, running statistics, in 32 bits. `input` is
 * [patches, x, y, z, channels] and taken over.
 */
export function observePatches(
  runtime: Runtime,
  network: UniversalNetwork,
  parameters: ParameterSet,
  input: Tensor,
): PatchObservation {
  const tape = new Tape(runtime, false);
  const { hasScale, hasAdversary } = network;
  const answers = network.answer(tape, parameters, tape.input(input), {
    restored: true,
    scale: hasScale,
    modality: hasAdversary ? 'straight' : undefined,
    features: true,
  });
  const { restored, features } = answers;
  invariant(restored !== undefined && features !== undefined, 'the network gives all that is wanted');
  const logits = cast(tape, restored, DATA_TYPE.float32).tensor;
  const sigmoid = runtime.runOne('Sigmoid', FLOAT, [logits]);
  logits.free();
  const read = (answer: Activation | undefined): Float32Array | undefined => answer && readAndFree(runtime, answer.tensor);
  return {
    restored: readAndFree(runtime, sigmoid),
    scale: read(answers.scale),
    modality: read(answers.modality),
    features: readAndFree(runtime, features.tensor),
  };
}

function readAndFree(runtime: Runtime, tensor: Tensor): Float32Array {
  const values = runtime.read(tensor);
  tensor.free();
  return values;
}
