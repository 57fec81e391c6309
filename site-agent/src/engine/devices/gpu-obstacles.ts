import { type GpuCard, visibleCards } from './gpu-cards.js';
import type { GpuFacts } from './gpu-facts.js';

/** One reason why a card is not used, in plain words, with what to do about it. */
export interface GpuObstacle {
  readonly kind:
    'no-driver' | 'no-card' | 'cpu-variant' | 'libraries-missing' | 'card-too-old' | 'card-too-new' | 'driver-too-old' | 'hidden';
  /** The card it concerns; all of them when left out. */
  readonly card?: number;
  readonly reason: string;
  readonly remedy: string;
}

/** TensorFlow 2.21 carries kernels for 6.0, 7.0, 8.0 and 8.9, and code for 9.0 that the driver translates. */
const OLDEST_CAPABILITY = 6.0;
const NEWEST_CAPABILITY = 9.0;
/** CUDA 12 runs from this driver on; translating code made by CUDA 12.5 takes a driver of that release. */
const OLDEST_DRIVER = [525, 60] as const;
const OLDEST_TRANSLATING_DRIVER = [555, 42] as const;

/** Every reason why this computer's cards are not used, the first to mend first; empty when all of them can be. */
export function gpuObstacles(facts: GpuFacts): GpuObstacle[] {
  const general = generalObstacles(facts);
  return [...general, ...facts.cards.flatMap((card) => cardObstacles(card, facts))];
}

/** The cards that nothing stands in the way of, in the order in which they are visible. */
export function usableCards(facts: GpuFacts): GpuCard[] {
  if (generalObstacles(facts).length > 0) return [];
  return visibleCards(facts.cards, facts.visibleDevices).filter((card) => cardObstacles(card, facts).length === 0);
}

/** Something about a card that works but may surprise. */
export interface GpuCaution {
  readonly kind: 'memory-in-use' | 'old-for-cudnn';
  readonly card: number;
  readonly reason: string;
}

/** From here on cuDNN still has tuned kernels; older cards depend on its release. */
const OLDEST_TUNED_CAPABILITY = 7.5;
const MUCH_MEMORY = 0.2;

/** What may surprise about the cards that can be used. */
export function gpuCautions(facts: GpuFacts): GpuCaution[] {
  return usableCards(facts).flatMap(({ index, name, memoryMib, usedMib, capability }) => {
    const cautions: GpuCaution[] = [];
    const gib = (mib: number): string => (mib / 1024).toFixed(1);
    if (usedMib > memoryMib * MUCH_MEMORY) {
      const reason = `GPU ${index} (${name}): other programs use ${gib(usedMib)} of its ${gib(memoryMib)} GiB`;
      cautions.push({ kind: 'memory-in-use', card: index, reason });
    }
    if (Number(capability) < OLDEST_TUNED_CAPABILITY) {
      const reason = `GPU ${index} (${name}): newer cuDNN releases may leave out cards of compute capability ${capability}`;
      cautions.push({ kind: 'old-for-cudnn', card: index, reason });
    }
    return cautions;
  });
}

function generalObstacles({ cards, driver, variant, missingLibraries, lookedIn }: GpuFacts): GpuObstacle[] {
  const obstacles: GpuObstacle[] = cards.length > 0 ? [] : [driver ? NO_CARD : NO_DRIVER];
  if (variant === 'cpu') obstacles.push(CPU_VARIANT);
  else if (missingLibraries.length > 0) obstacles.push(librariesMissing(missingLibraries, lookedIn));
  return obstacles;
}

function cardObstacles(card: GpuCard, { cards, visibleDevices }: GpuFacts): GpuObstacle[] {
  const obstacles: GpuObstacle[] = [];
  const add = (kind: GpuObstacle['kind'], reason: string, remedy: string): void => {
    obstacles.push({ kind, card: card.index, reason: `GPU ${card.index} (${card.name}): ${reason}`, remedy });
  };
  const capability = Number(card.capability);
  if (capability < OLDEST_CAPABILITY) {
    add(
      'card-too-old',
      `its compute capability ${card.capability} is older than TensorFlow's kernels`,
      'Use another card (6.0 to 9.0).',
    );
  } else if (capability > NEWEST_CAPABILITY) {
    add(
      'card-too-new',
      `its compute capability ${card.capability} is newer than this TensorFlow release knows`,
      'Use another card (6.0 to 9.0).',
    );
  }
  const oldest = capability === NEWEST_CAPABILITY ? OLDEST_TRANSLATING_DRIVER : OLDEST_DRIVER;
  if (isOlder(card.driver, oldest)) {
    add('driver-too-old', `its driver ${card.driver} is too old`, `Install the NVIDIA driver ${oldest.join('.')} or newer.`);
  }
  const isVisible = visibleCards(cards, visibleDevices).some(({ index }) => index === card.index);
  if (!isVisible) {
    add('hidden', `CUDA_VISIBLE_DEVICES="${visibleDevices}" hides it`, 'Take the variable away, or name the card in it.');
  }
  return obstacles;
}

const NO_DRIVER: GpuObstacle = {
  kind: 'no-driver',
  reason: 'no NVIDIA driver answers on this computer',
  remedy: 'With an NVIDIA card, install its driver; in a container, start it with access to the cards.',
};
const NO_CARD: GpuObstacle = {
  kind: 'no-card',
  reason: 'an NVIDIA driver is there but nvidia-smi lists no card',
  remedy: 'Run "nvidia-smi" to see its complaint; after an update of the driver, restart the computer.',
};
const CPU_VARIANT: GpuObstacle = {
  kind: 'cpu-variant',
  reason: 'TensorFlow is laid in its CPU variant',
  remedy: 'Run "npm run setup -- --variant gpu".',
};

function librariesMissing(missing: readonly string[], lookedIn: readonly string[]): GpuObstacle {
  return {
    kind: 'libraries-missing',
    reason: `CUDA libraries are not found: ${missing.join(', ')}`,
    remedy: `Run "npm run setup -- --variant gpu --force". Looked in the loader's cache and ${lookedIn.join(', ')}.`,
  };
}

/** By major and minor number; a version that does not read is taken for new enough. */
function isOlder(version: string, oldest: readonly [number, number]): boolean {
  const [major = Number.NaN, minor = 0] = version.split('.').map(Number);
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}
