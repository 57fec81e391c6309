import type { Agent, ClientRequest } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { AgentConfig } from '../config/agent-config.js';
import { trustedAuthorities } from '../config/authority.js';

/** As Node's own agents keep connections. */
const KEPT = { keepAlive: true, timeout: 5000 } as const;

export interface LineOptions {
  /** PEM certificates of all authorities that are trusted; Node's own when left out. */
  readonly authorities?: readonly string[] | undefined;
  /** The proxy that leads to an address; undefined for the direct way. */
  readonly proxyFor?: ((url: string) => string | undefined) | undefined;
}

/** How this site's network lets it out: one for all that an agent asks of its coordinator, on both planes. */
export class OutgoingLine {
  private readonly secureContext: SecureContext | undefined;
  private readonly secureAgent: Agent | undefined;
  private readonly tunnels = new Map<string, Agent>();

  constructor(private readonly options: LineOptions = {}) {
    const { authorities } = options;
    this.secureContext = authorities && createSecureContext({ ca: [...authorities] });
    this.secureAgent = this.secureContext && new SecureAgent({ ...KEPT, secureContext: this.secureContext });
  }

  /** What Node's HTTP and socket.io connect through; undefined for Node's own agent. */
  agentFor(url: string): Agent | undefined {
    const proxy = this.proxyTo(url);
    if (proxy !== undefined) return this.tunnelThrough(proxy);
    return url.startsWith('https:') ? this.secureAgent : undefined;
  }

  /** The proxy on the way to an address, which may hold a password; undefined for the direct way. */
  proxyTo(url: string): string | undefined {
    return this.options.proxyFor?.(url);
  }

  /** For a connection that is made by hand. */
  get tlsOptions(): { readonly secureContext?: SecureContext } {
    return this.secureContext === undefined ? {} : { secureContext: this.secureContext };
  }

  private tunnelThrough(proxy: string): Agent {
    const known = this.tunnels.get(proxy);
    if (known !== undefined) return known;
    const made = new TrustingTunnel(proxy, this.tlsOptions) as unknown as Agent; // an agent by all that Node asks of one
    this.tunnels.set(proxy, made);
    return made;
  }
}

/** A way through a proxy (CONNECT) at whose end the same authorities are trusted. */
class TrustingTunnel extends HttpsProxyAgent<string> {
  constructor(
    proxy: string,
    private readonly trust: { readonly secureContext?: SecureContext },
  ) {
    super(proxy, { ...KEPT, ...trust });
  }

  override connect(
    request: ClientRequest,
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): ReturnType<HttpsProxyAgent<string>['connect']> {
    return super.connect(request, { ...options, ...this.trust });
  }
}

export const PLAIN_LINE = new OutgoingLine();

/** The line that the site's settings and the environment describe. Throws CONFIG_INVALID. */
export function outgoingLine({ authority, proxyFor }: Pick<AgentConfig, 'authority' | 'proxyFor'>): OutgoingLine {
  const authorities = authority === undefined ? undefined : trustedAuthorities(authority);
  return new OutgoingLine({ authorities, proxyFor });
}
