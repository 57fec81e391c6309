import { FederationError } from '@consilium/shared/kernel';
import { chooseDevices, describeDevice } from '../engine/devices/choose-devices.js';
import { parseDeviceChoice } from '../engine/devices/device-choice.js';
import { describeArithmetic } from '../engine/devices/device-environment.js';
import type { GpuUse } from '../engine/runtime/runtime-facts.js';
import type { Check } from '@consilium/shared/terminal';

/** One line for the cards, then one for each reason why one is not used, the first to mend first. No card is no fault. */
export function checkGpu(gpu: GpuUse): Check[] {
  const name = 'GPU';
  const { used, obstacles, cautions } = gpu;
  if (gpu.cards.length === 0 && !used) {
    const [first] = obstacles;
    const finding = `none: ${first?.reason ?? 'TensorFlow sees none'}`;
    const isFault = first?.kind === 'no-card';
    return [{ name, status: isFault ? 'warning' : 'ok', finding, ...(isFault && { remedy: first.remedy }) }];
  }
  const cards = gpu.cards.map(describeCard).join(', ') || 'named by TensorFlow alone';
  const unexplained = !used && obstacles.length === 0 ? [unexplainedRefusal(gpu)] : [];
  return [
    { name, status: used ? 'ok' : 'warning', finding: `${cards}${used ? '' : ', not used'}` },
    // Whoever hides one card and uses another does so on purpose.
    ...obstacles
      .filter(({ kind }) => !(used && kind === 'hidden'))
      .map(({ reason, remedy }): Check => ({ name, status: 'warning', finding: reason, remedy })),
    ...cautions.map(({ reason }): Check => ({ name, status: 'warning', finding: reason })),
    ...unexplained,
  ];
}

/** What the site's trainers will compute on; failed when the setting names a card that cannot be used. */
export function checkDevice(setting: string, tf32: boolean, gpu: GpuUse): Check {
  const name = 'device';
  try {
    const { devices, reason } = chooseDevices(parseDeviceChoice(setting), () => gpu);
    if (devices[0].kind === 'gpu' && !gpu.used) return refused(setting, devices.map(describeDevice).join(' and '));
    const arithmetic = describeArithmetic(devices[0], { tf32 });
    const names = devices.map(describeDevice).join(' and ');
    return { name, status: 'ok', finding: `${names}, ${reason}${arithmetic === undefined ? '' : `; ${arithmetic}`}` };
  } catch (error) {
    const { message, remedy, code } = FederationError.from(error);
    return { name, status: 'failed', finding: message, remedy, code };
  }
}

function refused(setting: string, names: string): Check {
  const finding = `${names}: TensorFlow does not accept it`;
  if (setting === 'auto') return { name: 'device', status: 'ok', finding: `the processor, for ${finding}` };
  const remedy = 'Mend what the lines on the GPU say, or set device to auto or cpu.';
  return { name: 'device', status: 'failed', finding, remedy, code: 'DEVICE_UNAVAILABLE' };
}

function describeCard({ index, name, memoryMib, driver }: GpuUse['cards'][number]): string {
  return `${index}: ${name} (${(memoryMib / 1024).toFixed(0)} GiB, driver ${driver})`;
}

function unexplainedRefusal({ words = [] }: GpuUse): Check {
  const said = words.length === 0 ? 'It said nothing about it.' : `It said: ${words.join(' | ')}`;
  return { name: 'GPU', status: 'warning', finding: 'TensorFlow accepts no card, though nothing is missing', remedy: said };
}
