import { median } from './statistics.mjs';

/** Turns that are not counted: threads start and the compiler warms up in them. */
const WARM_UP = 2;

/** Medians over `repeats` turns, in milliseconds: on the clock, and of all processors together. */
export async function timeTurns(repeats, turn) {
  const [wall, processor] = [[], []];
  for (let i = 0; i < repeats + WARM_UP; i++) {
    const used = process.cpuUsage();
    const startedAt = performance.now();
    await turn();
    if (i < WARM_UP) continue;
    wall.push(performance.now() - startedAt);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1000);
  }
  return { wall: median(wall), processor: median(processor) };
}
