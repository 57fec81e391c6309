import { z } from 'zod';
import { FederationError, isErrorCode } from '@consilium/shared/kernel';

/** An address on the coordinator, also when it stands behind a proxy under a path of its own. */
export function coordinatorAddress(coordinatorUrl: string, path: string): string {
  return new URL(prefixOf(coordinatorUrl) + path, coordinatorUrl).href;
}

/** The path under which the coordinator stands, without a slash at the end; mostly empty. */
export function prefixOf(coordinatorUrl: string): string {
  return new URL(coordinatorUrl).pathname.replace(/\/+$/, '');
}

/** A refusal as the coordinator reports it, on either plane. */
export const refusalSchema = z.object({
  code: z.string(),
  message: z.string().default(''),
  retryable: z.boolean().optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
});

export const PROXY_REMEDY =
  'Ask your IT department for an account of the proxy, or for an exception for the coordinator’s address, and name it in site.yaml: ' +
  '"proxy: http://NAME:PASSWORD@proxy.example:3128".';

/** The error behind a refused HTTP request: the coordinator's own report where the body holds one, else by the status. */
export function errorOfResponse(status: number, body: string): FederationError {
  const report = parseReport(body);
  if (report !== undefined && isErrorCode(report.code)) return FederationError.fromReport(report);
  const details = { status };
  if (status === 407) {
    return new FederationError('PROXY_REFUSED', 'the proxy asks for a name and a password', { details, remedy: PROXY_REMEDY });
  }
  if (status === 401 || status === 403) {
    return new FederationError('CREDENTIAL_REFUSED', 'the coordinator does not accept this site’s credential', { details });
  }
  if (status === 404 || status === 410) return new FederationError('NOT_FOUND', 'the coordinator does not have it', { details });
  const retryable = status >= 500 || [408, 409, 423, 425, 429, 460].includes(status);
  return new FederationError('TRANSFER_BROKEN', `the coordinator answered with HTTP status ${status}`, { details, retryable });
}

function parseReport(body: string): z.infer<typeof refusalSchema> | undefined {
  try {
    return refusalSchema.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** "ECONNREFUSED" of a failed fetch or request, which hides it in nested causes; the message where there is no code. */
export function reasonOf(error: unknown): string {
  let message = String(error);
  for (let cause = error; typeof cause === 'object' && cause !== null; cause = 'cause' in cause ? cause.cause : undefined) {
    if ('code' in cause && typeof cause.code === 'string' && cause.code !== '') return cause.code;
    if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
    if ('message' in cause && typeof cause.message === 'string') message = cause.message;
  }
  return message;
}
