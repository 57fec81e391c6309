import { authoritiesWith } from '@consilium/shared/identity';

/** The certificates that this site trusts: see {@link authoritiesWith}. */
export function trustedAuthorities(file: string, environment: NodeJS.ProcessEnv = process.env): string[] {
  return authoritiesWith(file, environment['NODE_EXTRA_CA_CERTS']);
}
