import { existsSync } from 'node:fs';
import { runtimeEnvironment, type LocatedRuntime } from '../runtime/locate-runtime.js';
import { findCudaLibraries } from './cuda-libraries.js';
import { type GpuCard, listGpuCards } from './gpu-cards.js';

/** What can be known about the cards of this computer without loading TensorFlow. */
export interface GpuFacts {
  /** Signs of an NVIDIA driver: its kernel module, its devices or its library. */
  readonly driver: boolean;
  readonly cards: readonly GpuCard[];
  /** CUDA_VISIBLE_DEVICES as this process found it. */
  readonly visibleDevices: string | undefined;
  readonly variant: 'cpu' | 'gpu';
  readonly missingLibraries: readonly string[];
  readonly lookedIn: readonly string[];
}

/** Asks driver, file system and environment; some tens of milliseconds, up to ten seconds with a driver that hangs. */
export function readGpuFacts(
  runtime: LocatedRuntime,
  environment: Readonly<Record<string, string | undefined>>,
  cards: readonly GpuCard[] = listGpuCards(),
): GpuFacts {
  const libraryPath = runtimeEnvironment(runtime, environment['LD_LIBRARY_PATH'])['LD_LIBRARY_PATH'];
  const folders = (libraryPath ?? environment['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const { missing, driverLibrary, lookedIn } = findCudaLibraries(folders);
  const driver = cards.length > 0 || driverLibrary || ['/proc/driver/nvidia', '/dev/nvidiactl'].some((path) => existsSync(path));
  return {
    driver,
    cards,
    visibleDevices: environment['CUDA_VISIBLE_DEVICES'],
    variant: runtime.record.variant,
    missingLibraries: missing,
    lookedIn,
  };
}
