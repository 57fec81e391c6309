import { stat } from 'node:fs/promises';
import { assembleSeries } from './assemble-series.js';
import { mapFiles, readFactsOf } from './read-facts-of.js';
import type { SeriesStack } from './series-stack.js';

interface ReadSeries {
  readonly files: readonly string[];
  readonly stamps: readonly string[];
  readonly stacks: readonly SeriesStack[];
}

/** The series that was read last, so that a reader who asks for frame after frame does not read all headers for each. */
let last: ReadSeries | undefined;

/**
 * The stacks that the files of a series form; those of the last call as long as every file has kept its size and time of
 * change. Only a series of several frames is kept: the others are read once.
 */
export async function readSeriesStacks(files: readonly string[]): Promise<readonly SeriesStack[]> {
  const stamps = await mapFiles(files, stampOf);
  if (last !== undefined && isSame(last.files, files) && isSame(last.stamps, stamps)) return last.stacks;
  last = undefined;
  const { stacks } = assembleSeries(await readFactsOf(files));
  const hasFrames = stacks.some((stack) => stack.status !== 'refused' && stack.frames.length > 1);
  if (hasFrames) last = { files: [...files], stamps, stacks };
  return stacks;
}

/** A file that is gone has no stamp; reading it tells why. */
async function stampOf(file: string): Promise<string> {
  const facts = await stat(file).catch(() => undefined);
  return facts === undefined ? '' : `${facts.ino}:${facts.size}:${facts.mtimeMs}:${facts.ctimeMs}`;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
