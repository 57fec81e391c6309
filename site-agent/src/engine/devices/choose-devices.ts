import { FederationError } from '@consilium/shared/kernel';
import type { DeviceChoice } from './device-choice.js';
import type { GpuCard } from './gpu-cards.js';
import type { GpuFacts } from './gpu-facts.js';
import { gpuObstacles, usableCards } from './gpu-obstacles.js';

/** What one trainer computes on. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly card: GpuCard };

/** The devices of one order, the leader's first, and why these. */
export interface DevicePlan {
  readonly devices: readonly [Device, ...Device[]];
  /** One sentence for the site's log. */
  readonly reason: string;
}

const PROCESSOR: Device = { kind: 'cpu' };
/** Below this share of free memory another card is preferred. */
const ENOUGH_FREE = 0.5;

/**
 * Decides from what was asked and what is there. A card that was asked for and cannot be used is DEVICE_UNAVAILABLE with the
 * reasons, never the processor in silence; `auto` takes one card at most, for several change what a batch norm sees.
 */
export function chooseDevices(choice: DeviceChoice, facts: () => GpuFacts): DevicePlan {
  switch (choice.kind) {
    case 'cpu':
      return processors(choice.trainers);
    case 'auto':
      return automatic(facts());
    case 'gpu':
      return choice.indices === 'first' ? firstCard(facts()) : namedCards(choice.indices, facts());
  }
}

/** The device in a few words: "GPU 0 (NVIDIA H200, 140 GiB)". */
export function describeDevice(device: Device): string {
  if (device.kind === 'cpu') return 'the processor';
  const { index, name, memoryMib } = device.card;
  return `GPU ${index} (${name}, ${(memoryMib / 1024).toFixed(0)} GiB)`;
}

function processors(trainers: number): DevicePlan {
  const others = Array.from({ length: trainers - 1 }, () => PROCESSOR);
  return { devices: [PROCESSOR, ...others], reason: 'as the setting "device" says' };
}

function automatic(facts: GpuFacts): DevicePlan {
  const [best, ...others] = byFreeMemory(usableCards(facts));
  if (best === undefined) return { devices: [PROCESSOR], reason: gpuObstacles(facts)[0]?.reason ?? 'no card is visible' };
  const idle = others.map(({ index }) => index);
  const reason =
    idle.length === 0
      ? 'found by itself'
      : `found by itself; to use others too, set device to gpu:${[best.index, ...idle].join(',')}`;
  return { devices: [{ kind: 'gpu', card: best }], reason };
}

function firstCard(facts: GpuFacts): DevicePlan {
  const [best] = byFreeMemory(usableCards(facts));
  if (best === undefined) throw unavailable('no GPU can be used', facts);
  return { devices: [{ kind: 'gpu', card: best }], reason: 'as the setting "device" says' };
}

function namedCards(indices: readonly number[], facts: GpuFacts): DevicePlan {
  const usable = usableCards(facts);
  const devices = indices.map((index): Device => {
    const card = usable.find((each) => each.index === index);
    if (card !== undefined) return { kind: 'gpu', card };
    throw unavailable(`GPU ${index} cannot be used`, facts, index);
  });
  const [leader = PROCESSOR, ...others] = devices;
  return { devices: [leader, ...others], reason: 'as the setting "device" says' };
}

/** In the given order, but those that other programs have mostly taken come last. */
function byFreeMemory(cards: readonly GpuCard[]): GpuCard[] {
  const hasRoom = ({ memoryMib, usedMib }: GpuCard): boolean => usedMib <= memoryMib * (1 - ENOUGH_FREE);
  return [...cards.filter(hasRoom), ...cards.filter((card) => !hasRoom(card))];
}

function unavailable(what: string, facts: GpuFacts, index?: number): FederationError {
  const concerning = gpuObstacles(facts).filter(({ card }) => index === undefined || card === undefined || card === index);
  const there = facts.cards.map((card) => card.index).join(', ') || 'none';
  const why = concerning.map(({ reason }) => reason).join('; ') || `there are these cards: ${there}`;
  return new FederationError('DEVICE_UNAVAILABLE', `${what}: ${why}`, {
    remedy: `${concerning[0]?.remedy ?? 'Name a card that is there.'} "site-agent doctor" tells more; device "cpu" or "auto" goes on without.`,
  });
}
