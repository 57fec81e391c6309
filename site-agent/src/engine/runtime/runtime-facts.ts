import { availableParallelism, cpus, totalmem } from 'node:os';
import { inheritedEnvironment } from '../../config/inherited-environment.js';
import { type GpuFacts, readGpuFacts } from '../devices/gpu-facts.js';
import { type GpuCaution, gpuCautions, type GpuObstacle, gpuObstacles } from '../devices/gpu-obstacles.js';
import { loadBinding, type LoadSettings } from './load-binding.js';
import type { LocatedRuntime } from './locate-runtime.js';
import { measureConvolution, type ConvolutionSpeed } from './measure-convolution.js';
import { ATTRIBUTE_TYPE, DATA_TYPE, type TensorflowBinding } from './tensorflow-binding.js';

/** What `site-agent doctor` tells about the computing side of a site. */
export interface RuntimeFacts {
  library: 'TensorFlow';
  version: string;
  variant: 'cpu' | 'gpu';
  origin: LocatedRuntime['origin'];
  folder: string;
  nodeVersion: string;
  cpuModel: string;
  cores: number;
  memoryBytes: number;
  /** Peak resident memory of this process after loading and the test convolution. */
  residentBytes: number;
  /** True when oneDNN's own kernels run here (they are missing or switched off otherwise). */
  oneDnn: boolean;
  gpu: GpuUse;
  convolution: ConvolutionSpeed;
  loadSeconds: number;
}

/** Whether TensorFlow computes on a card when left alone, and all that speaks against it. */
export interface GpuUse extends GpuFacts {
  readonly used: boolean;
  /** What to mend, the first thing first. */
  readonly obstacles: readonly GpuObstacle[];
  readonly cautions: readonly GpuCaution[];
  /** TensorFlow's own lines about cards, where it was asked to print them. */
  readonly words?: readonly string[];
}

/** Loads TensorFlow into this process, asks it what it uses and times a test convolution: about one second in all. */
export function readRuntimeFacts(runtime: LocatedRuntime, settings: LoadSettings = {}): RuntimeFacts {
  const facts = readGpuFacts(runtime, inheritedEnvironment()); // before loading, which writes to the environment
  const started = performance.now();
  const binding = loadBinding(runtime, settings);
  const loadSeconds = (performance.now() - started) / 1000;
  const convolution = measureConvolution(binding);
  return {
    library: 'TensorFlow',
    version: binding.TF_Version,
    variant: runtime.record.variant,
    origin: runtime.origin,
    folder: runtime.folder,
    nodeVersion: process.versions.node,
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    residentBytes: process.resourceUsage().maxRSS * 1024,
    oneDnn: settings.oneDnn !== false && hasOneDnnKernels(binding),
    gpu: { ...facts, used: binding.isUsingGpuDevice(), obstacles: gpuObstacles(facts), cautions: gpuCautions(facts) },
    convolution,
    loadSeconds,
  };
}

/** Runs one of oneDNN's private kernels: only a build with oneDNN switched on has it. */
export function hasOneDnnKernels(binding: TensorflowBinding): boolean {
  const input = binding.createTensor([1, 2, 2, 2, 1], DATA_TYPE.float32, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const window = [1, 2, 2, 2, 1];
  try {
    const outputs = binding.executeOp(
      '_MklNativeMaxPool3D',
      [
        { name: 'T', type: ATTRIBUTE_TYPE.type, value: DATA_TYPE.float32 },
        { name: 'ksize', type: ATTRIBUTE_TYPE.int, value: window },
        { name: 'strides', type: ATTRIBUTE_TYPE.int, value: window },
        { name: 'padding', type: ATTRIBUTE_TYPE.string, value: 'VALID' },
        { name: '_kernel', type: ATTRIBUTE_TYPE.string, value: 'MklNameChangeOp' },
      ],
      [input],
      2,
    );
    const pooled = outputs[0] === undefined ? undefined : binding.tensorDataSync(outputs[0].id);
    for (const output of outputs) binding.deleteTensor(output.id);
    return Number(pooled?.[0]) === 8;
  } catch {
    return false; // "no such operation" or "no kernel": the public operations serve instead
  } finally {
    binding.deleteTensor(input);
  }
}
