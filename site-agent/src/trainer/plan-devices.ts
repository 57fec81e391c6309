import { inheritedEnvironment } from '../config/inherited-environment.js';
import { runtimeSearch } from '../config/runtime-search.js';
import { chooseDevices, type DevicePlan } from '../engine/devices/choose-devices.js';
import { parseDeviceChoice } from '../engine/devices/device-choice.js';
import { readGpuFacts } from '../engine/devices/gpu-facts.js';
import { type LocatedRuntime, locateRuntime } from '../engine/runtime/locate-runtime.js';

/** What the setting comes to on this computer, without loading TensorFlow; DEVICE_UNAVAILABLE when it cannot be had. */
export function planDevices(setting: string, located?: LocatedRuntime): DevicePlan {
  const facts = (): ReturnType<typeof readGpuFacts> =>
    readGpuFacts(located ?? locateRuntime(runtimeSearch()), inheritedEnvironment());
  return chooseDevices(parseDeviceChoice(setting), facts);
}

/** Throws at once what the first trainer would throw later: for commands that wait long before they compute. */
export function requireDevices(setting: string): void {
  if (setting !== 'auto') planDevices(setting);
}
