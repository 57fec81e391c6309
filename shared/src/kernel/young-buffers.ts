import { setFlagsFromString } from 'node:v8';

/** Of V8's option with that name, in MiB: 32 since V8 13.6, and fixed at 8 before. A quick collection comes with four times that. */
const NEW_SPACE_MIB = 4;

/**
 * Lets this process collect buffers that live for a moment as cheaply as Node 20 does: what arrives over a connection comes in one
 * buffer for each read. From V8 13.6 (Node 24) the quick collection of the young begins only with 128 MiB of them, and by 64 MiB a
 * whole collection has begun (nodejs/node#61967): receiving an upload then takes three times the processor time and some 50 MiB more.
 * Half of what Node 20 and 22 have leaves room for buffers that are dead and not yet freed, which there lead to the same now and then.
 * To be called when a process starts that receives much.
 */
export function collectBuffersYoung(): void {
  const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
  if (major < 13 || (major === 13 && minor < 6)) return;
  setFlagsFromString(`--scavenger-max-new-space-capacity-mb=${NEW_SPACE_MIB}`);
}
