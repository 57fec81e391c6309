import { prefixOf } from './coordinator-address.js';
import type { OutgoingLine } from './outgoing-line.js';

/** What socket.io is told of the coordinator's address and of the way there. */
export function socketAddress(coordinatorUrl: string, line: OutgoingLine) {
  const { origin } = new URL(coordinatorUrl);
  // Its types know agents by name only; it hands them on to Node.
  const agent = line.agentFor(origin) as unknown as string | undefined;
  return { origin, options: { path: `${prefixOf(coordinatorUrl)}/socket.io/`, ...(agent !== undefined && { agent }) } };
}
