import { FederationError } from '@consilium/shared/kernel';
import { runtimeSearch } from '../config/runtime-search.js';
import { describeDevice, type Device } from '../engine/devices/choose-devices.js';
import { describeArithmetic, deviceEnvironment } from '../engine/devices/device-environment.js';
import { shareThreads } from '../engine/devices/share-threads.js';
import { openRuntime } from '../engine/open-runtime.js';
import { locateRuntime } from '../engine/runtime/locate-runtime.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { OrderContext } from './order-context.js';
import { planDevices } from './plan-devices.js';
import type { TrainerLimits } from './trainer-messages.js';

/** TensorFlow on this process's device, and the devices that further processes may take. */
export interface TrainerDevices {
  readonly runtime: Runtime;
  /** What this process computes on. */
  readonly device: Device;
  readonly others: readonly Device[];
  /** Each process's share of the site's threads. */
  readonly threads: number | undefined;
}

type Announcer = Pick<OrderContext, 'announce'>;

/** Opens TensorFlow for this process alone; further devices stay idle, which is announced. */
export function openTrainerDevice(limits: TrainerLimits, context: Announcer): Pick<TrainerDevices, 'runtime' | 'device'> {
  const { runtime, device, others } = openTrainerDevices(limits, context, 1);
  if (others.length > 0) context.announce(`this work takes one device; idle meanwhile: ${others.map(describeDevice).join(', ')}`);
  return { runtime, device };
}

/** As {@link openTrainerDevice}, for work that is the same on every device. */
export function openTrainerRuntime(limits: TrainerLimits, context: Announcer): Runtime {
  return openTrainerDevice(limits, context).runtime;
}

/**
 * Decides what to compute on, announces it and opens TensorFlow there, within the site's limits; the threads are shared by at
 * most `trainers` processes. Throws DEVICE_UNAVAILABLE when a card that was asked for cannot be used.
 */
export function openTrainerDevices(limits: TrainerLimits, context: Announcer, trainers = Infinity): TrainerDevices {
  const located = locateRuntime(runtimeSearch());
  const setting = limits.device ?? 'auto';
  const plan = planDevices(setting, located);
  const [device, ...others] = plan.devices;
  const threads = shareThreads(limits.threads, Math.min(trainers, plan.devices.length));
  const runtime = openRuntime({ threads, located, settings: { environment: deviceEnvironment(device, limits) } });
  if (setting === 'auto' && device.kind === 'gpu' && !runtime.binding.isUsingGpuDevice()) {
    context.announce(
      `computing on the processor, for TensorFlow does not accept ${describeDevice(device)}: ask "site-agent doctor"`,
    );
    return { runtime, device: { kind: 'cpu' }, others: [], threads };
  }
  requireDevice(runtime, device);
  const arithmetic = describeArithmetic(device, limits);
  context.announce(`computing on ${describeDevice(device)}, ${plan.reason}${arithmetic === undefined ? '' : `; ${arithmetic}`}`);
  return { runtime, device, others, threads };
}

/** Throws DEVICE_UNAVAILABLE unless TensorFlow really computes on the device. */
export function requireDevice(runtime: Runtime, device: Device): void {
  if (runtime.binding.isUsingGpuDevice() === (device.kind === 'gpu')) return;
  throw new FederationError('DEVICE_UNAVAILABLE', `TensorFlow does not compute on ${describeDevice(device)}`, {
    remedy: 'Ask "site-agent doctor", which gives its reasons, or set device to auto or cpu.',
  });
}
