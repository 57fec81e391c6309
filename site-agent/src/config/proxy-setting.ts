import { isLoopbackHost } from '@consilium/shared/kernel';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that leads to an address; undefined for the direct way. What the site's settings name leads everywhere; what the environment
 * names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, in small letters too) leads everywhere but to this computer and to what NO_PROXY lists.
 */
export function proxyFor(url: string, named: string | undefined, environment: Environment = process.env): string | undefined {
  if (named !== undefined) return named;
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isLoopbackHost(host) || isExcepted(host, port === '' ? (protocol === 'https:' ? '443' : '80') : port, environment))
    return undefined;
  const proxy = valueOf(environment, `${protocol.slice(0, -1)}_proxy`) ?? valueOf(environment, 'all_proxy');
  return proxy === undefined || proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** The address of a proxy without its password, for people. */
export function withoutSecrets(proxy: string): string {
  const shown = new URL(proxy);
  if (shown.password !== '') shown.password = '***';
  return shown.href.replace(/\/$/, '');
}

/** As most programs read it: "*" for everything, else names with all that is below them, each with or without a port. */
function isExcepted(host: string, port: string, environment: Environment): boolean {
  const entries = (valueOf(environment, 'no_proxy') ?? '').toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => {
    if (entry === '*') return true;
    const [, name = '', at] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
    if (name === '' || (at !== undefined && at !== port)) return false;
    return host.toLowerCase() === name || host.toLowerCase().endsWith(`.${name}`);
  });
}

function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name] ?? environment[name.toUpperCase()];
  return value === '' ? undefined : value;
}
