import { setFlagsFromString } from 'node:v8';

/** V8's option of that name in Node 22 and before, in MiB; 32 since V8 13.6. */
const NEW_SPACE_MIB = 8;

/**
 * Lets this process collect buffers that live for a moment as cheaply as Node 20 and 22 do: what arrives over a connection comes in
 * one buffer for each read. From V8 13.6 (Node 24) the quick collection of the young begins only after 128 MiB of them, and by 64 MiB
 * a whole collection has begun (nodejs/node#61967): receiving an upload then takes three times the processor time and half as much
 * memory again. To be called when a process starts that receives much.
 */
export function collectBuffersYoung(): void {
  const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
  if (major < 13 || (major === 13 && minor < 6)) return;
  setFlagsFromString(`--scavenger-max-new-space-capacity-mb=${NEW_SPACE_MIB}`);
}
