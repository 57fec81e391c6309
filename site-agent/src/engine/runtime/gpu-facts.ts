import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** One graphics card as its driver names it. */
export interface GpuDevice {
  name: string;
  memoryMib: number;
  driver: string;
  /** CUDA compute capability such as "9.0". */
  capability: string;
}

export interface GpuFacts {
  used: boolean;
  devices: GpuDevice[];
  /** Why no GPU is used, in one sentence; empty when one is. */
  reason: string;
}

const NEWEST_NATIVE_CAPABILITY = 9.0;

/** What cards there are and, when TensorFlow uses none, why. `used` is the binding's own word. */
export function readGpuFacts(used: boolean, variant: 'cpu' | 'gpu', devices: GpuDevice[] = listGpuDevices()): GpuFacts {
  return { used, devices, reason: used ? '' : explainNoGpu(variant, devices) };
}

function explainNoGpu(variant: 'cpu' | 'gpu', devices: GpuDevice[]): string {
  if (devices.length === 0) {
    return existsSync('/proc/driver/nvidia')
      ? 'an NVIDIA driver is present but lists no card: run nvidia-smi to see its complaint'
      : 'no NVIDIA card is visible';
  }
  if (variant === 'cpu') return 'the runtime is the CPU variant: run "npm run setup -- --variant gpu"';
  if (devices.every((device) => Number(device.capability) > NEWEST_NATIVE_CAPABILITY)) {
    return 'the card is newer than this TensorFlow release supports';
  }
  return 'TensorFlow found no usable card: the CUDA libraries did not load or the driver is older than 525; start with TF_CPP_MIN_LOG_LEVEL=0 to see why';
}

/** The cards that nvidia-smi lists; empty without a driver. Waits at most ten seconds. */
export function listGpuDevices(): GpuDevice[] {
  try {
    const fields = 'name,memory.total,driver_version,compute_cap';
    const text = execFileSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseGpuList(text);
  } catch {
    return []; // no nvidia-smi: no driver
  }
}

/** One line per card: name, MiB, driver, capability, separated by commas. */
export function parseGpuList(text: string): GpuDevice[] {
  return text
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length === 4)
    .map(([name = '', memory = '', driver = '', capability = '']) => ({ name, memoryMib: Number(memory), driver, capability }));
}
