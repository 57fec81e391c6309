import { execFileSync } from 'node:child_process';

/** One graphics card as its driver names it. */
export interface GpuCard {
  /** nvidia-smi's number, in the order of the PCI bus. */
  readonly index: number;
  /** Names the card to CUDA whatever the order it counts in. */
  readonly uuid: string;
  readonly name: string;
  readonly memoryMib: number;
  /** Taken by all programs at this moment. */
  readonly usedMib: number;
  readonly driver: string;
  /** CUDA compute capability such as "9.0". */
  readonly capability: string;
}

const FIELDS = ['index', 'uuid', 'name', 'memory.total', 'memory.used', 'driver_version', 'compute_cap'] as const;

/** The cards that nvidia-smi lists; empty without a driver. Waits at most ten seconds. */
export function listGpuCards(): GpuCard[] {
  try {
    const text = execFileSync('nvidia-smi', [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseGpuList(text);
  } catch {
    return []; // no nvidia-smi, or one that cannot talk to its driver
  }
}

/** One line per card, its fields separated by commas; anything else is passed over. */
export function parseGpuList(text: string): GpuCard[] {
  return text
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length === FIELDS.length && /^\d+$/.test(fields[0] ?? ''))
    .map(([index, uuid = '', name = '', memory, used, driver = '', capability = '']) => ({
      index: Number(index),
      uuid,
      name,
      memoryMib: Number(memory),
      usedMib: Number(used) || 0, // "[N/A]" where the driver does not tell
      driver,
      capability,
    }));
}

/**
 * The cards that CUDA_VISIBLE_DEVICES leaves visible, in its order: numbers (as nvidia-smi counts), identifiers or beginnings
 * of them; as CUDA does, the list ends at the first entry that names no card. A slice of a card (MIG) is passed on as named.
 */
export function visibleCards(cards: readonly GpuCard[], visibleDevices: string | undefined): GpuCard[] {
  if (visibleDevices === undefined) return [...cards];
  const visible: GpuCard[] = [];
  for (const token of visibleDevices.split(',').map((part) => part.trim())) {
    const card = cardNamed(cards, token);
    if (card === undefined) break;
    visible.push(card);
  }
  return visible;
}

function cardNamed(cards: readonly GpuCard[], token: string): GpuCard | undefined {
  if (/^\d+$/.test(token)) return cards.find(({ index }) => index === Number(token));
  const [first] = cards;
  if (token.startsWith('MIG-') && first !== undefined) return { ...first, uuid: token, name: `${first.name} (slice)` };
  return token.startsWith('GPU-') ? cards.find(({ uuid }) => uuid.startsWith(token)) : undefined;
}
