import {
  manifestOf,
  unet3dEncoder,
  unet3dKeepsStatistics,
  type Unet3dSpec,
  type UniversalSpec,
  universalBackbone,
} from '@consilium/shared/models';
import { type WeightSet } from '@consilium/shared/weights';
import { globalAveragePool } from '../engine/ops/average-pooling.js';
import { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { Tape } from '../engine/tape.js';
import { encode } from '../networks/genesis-encoder.js';
import type { PatchSize } from '../training/patch-batch.js';

/** The frozen encoder of a U-Net: 16 · width features of a patch, the mean of its bottleneck over space. */
export class EncoderFeatures {
  private constructor(
    private readonly runtime: Runtime,
    private readonly backbone: Unet3dSpec,
    private readonly parameters: ParameterSet,
  ) {}

  /** Of the whole model; heads are left aside. MANIFEST_MISMATCH when the weights are another model's. */
  static open(runtime: Runtime, spec: Unet3dSpec | UniversalSpec, weights: WeightSet): EncoderFeatures {
    const backbone = spec.architecture === 'universal-model' ? universalBackbone(spec) : spec;
    const manifest = manifestOf(backbone);
    const parameters = new ParameterSet(runtime, manifest, new Set());
    const names = new Set(manifest.tensors.map(({ name }) => name));
    parameters.load(weights.filter(({ name }) => names.has(name)));
    return new EncoderFeatures(runtime, backbone, parameters);
  }

  /** Of one patch, [x, y, z] row-major. With batch norm the patch's own statistics count. */
  read(patch: Float32Array, size: PatchSize): Float32Array {
    const { runtime, backbone, parameters } = this;
    const tape = new Tape(runtime, false);
    const pass = { tape, parameters, norm: { choice: backbone, running: unet3dKeepsStatistics(backbone) } };
    const input = tape.input(runtime.tensor(patch, [1, ...size, 1]));
    const pooled = globalAveragePool(tape, encode(pass, unet3dEncoder(backbone), input));
    const features = runtime.read(pooled.tensor);
    pooled.tensor.free();
    return features;
  }

  dispose(): void {
    this.parameters.dispose();
  }
}
