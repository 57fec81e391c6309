import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Where Linux names the ports that it gives to whoever asks for none in particular. */
const SYSTEM_RANGE_FILE = '/proc/sys/net/ipv4/ip_local_port_range';
/** The usual range of Linux begins there; that of other systems later. */
const USUAL_SYSTEM_START = 32_768;
/** Below are ports of well-known programs. */
const FIRST_PORT = 20_000;
const TRIES = 100;

/**
 * A port of loopback that nobody listened on a moment ago. It lies below the system's own range: a program that is killed and
 * started again on its port must not find there what the system has given to another in between. Throws when none is found.
 */
export async function freePort(): Promise<number> {
  const end = systemStart();
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST_PORT, end);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port was found from ${FIRST_PORT} to ${end - 1}`);
}

/** A range that leaves no room below it counts as the usual one: a port is found all the same. */
function systemStart(): number {
  try {
    const start = Number(readFileSync(SYSTEM_RANGE_FILE, 'utf8').trim().split(/\s+/)[0]);
    return start > FIRST_PORT ? start : USUAL_SYSTEM_START;
  } catch {
    return USUAL_SYSTEM_START; // no Linux
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)));
  });
}
