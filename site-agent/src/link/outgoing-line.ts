import type { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { AgentConfig } from '../config/agent-config.js';
import { trustedAuthorities } from '../config/authority.js';

/** As Node's own agents keep connections. */
const KEPT = { keepAlive: true, timeout: 5000 } as const;

/** How this site's network lets it out: one for all that an agent asks of its coordinator, on both planes. */
export class OutgoingLine {
  private readonly secureContext: SecureContext | undefined;
  private readonly secureAgent: Agent | undefined;

  /** @param authorities PEM certificates of all authorities that are trusted; Node's own when left out. */
  constructor({ authorities }: { readonly authorities?: readonly string[] | undefined } = {}) {
    this.secureContext = authorities && createSecureContext({ ca: [...authorities] });
    this.secureAgent = this.secureContext && new SecureAgent({ ...KEPT, secureContext: this.secureContext });
  }

  /** What Node's HTTP and socket.io connect through; undefined for Node's own agent. */
  agentFor(url: string): Agent | undefined {
    return url.startsWith('https:') ? this.secureAgent : undefined;
  }

  /** For a connection that is made by hand. */
  get tlsOptions(): { readonly secureContext?: SecureContext } {
    return this.secureContext === undefined ? {} : { secureContext: this.secureContext };
  }
}

export const PLAIN_LINE = new OutgoingLine();

/** The line that the site's settings describe. Throws CONFIG_INVALID. */
export function outgoingLine({ authority }: Pick<AgentConfig, 'authority'>): OutgoingLine {
  return authority === undefined ? PLAIN_LINE : new OutgoingLine({ authorities: trustedAuthorities(authority) });
}
