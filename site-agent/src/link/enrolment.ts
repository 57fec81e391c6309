import { FederationError } from '@consilium/shared/kernel';
import { NONCE_HEADER, PROOF_HEADER, type SigningKey, signProof } from '@consilium/shared/identity';
import {
  agreeOnProtocol,
  DATA_PATHS,
  type EnrolmentAnswer,
  enrolmentAnswerSchema,
  type EnrolmentRequest,
  exactly,
  parseWith,
  PROTOCOL_VERSION,
  protocolToTry,
} from '@consilium/shared/wire';
import { certificateRemedy } from './connect-error.js';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { exchange, type HttpAnswer } from './http-exchange.js';
import type { OutgoingLine } from './outgoing-line.js';
import { lackOf } from './request-identity.js';

export interface EnrolmentMeans {
  /** The agent's own, proved to the coordinator. */
  readonly key?: SigningKey;
  readonly line?: OutgoingLine | undefined;
}

const ANSWER_WITHIN_MS = 20_000;

/**
 * Trades a one-time token for the site's credential. With a key the credential is bound to it, unless the coordinator knows no keys
 * yet: then the answer has no `expiresInMs`. Throws TOKEN_REFUSED, PROTOCOL_VERSION when there is no version that both sides speak, or
 * COORDINATOR_UNREACHABLE when nothing answers at the address.
 */
export async function enrol(
  coordinatorUrl: string,
  token: string,
  agentVersion: string,
  means: EnrolmentMeans = {},
): Promise<EnrolmentAnswer> {
  try {
    return await ask(coordinatorUrl, { protocolVersion: PROTOCOL_VERSION, token, agentVersion }, means);
  } catch (thrown) {
    const error = FederationError.from(thrown);
    // A refusal of the version leaves the token unspent.
    const protocolVersion = protocolToTry(error, PROTOCOL_VERSION);
    if (protocolVersion === undefined) throw error;
    return ask(coordinatorUrl, { protocolVersion, token, agentVersion }, means);
  }
}

async function ask(coordinatorUrl: string, request: EnrolmentRequest, means: EnrolmentMeans): Promise<EnrolmentAnswer> {
  const url = coordinatorAddress(coordinatorUrl, DATA_PATHS.enrolment);
  let answer = await post(url, request, means, undefined);
  if (lackOf(answer) === 'nonce') answer = await post(url, request, means, String(answer.headers[NONCE_HEADER] ?? ''));
  const { status, body } = answer;
  if (status < 200 || status > 299) throw explain(errorOfResponse(status, body));
  const enrolled = parseWith(
    enrolmentAnswerSchema,
    parseJson(body, coordinatorUrl),
    'MESSAGE_REFUSED',
    'the answer to the enrolment',
  );
  agreeOnProtocol(exactly(enrolled.protocolVersion), 'coordinator');
  return enrolled;
}

async function post(
  url: string,
  request: EnrolmentRequest,
  { key, line }: EnrolmentMeans,
  nonce: string | undefined,
): Promise<HttpAnswer> {
  const proven = { method: 'POST', url, secret: request.token, nonce };
  const proof: Record<string, string> = key === undefined ? {} : { [PROOF_HEADER]: await signProof(key, proven) };
  try {
    return await exchange({
      ...{ method: 'POST', url, headers: { 'content-type': 'application/json', ...proof }, text: JSON.stringify(request) },
      ...{ stallMs: ANSWER_WITHIN_MS, signal: AbortSignal.timeout(ANSWER_WITHIN_MS), line },
    });
  } catch (cause) {
    const reason = reasonOf(cause);
    const untrusted = certificateRemedy(reason);
    const what = untrusted === undefined ? 'nothing answers at' : 'no trusted coordinator answers at';
    throw new FederationError('COORDINATOR_UNREACHABLE', `${what} ${new URL(url).origin} (${reason})`, {
      cause,
      remedy: untrusted ?? 'Check the address, that the coordinator runs, and that this computer may reach it.',
    });
  }
}

function explain(error: FederationError): FederationError {
  if (error.code === 'TOKEN_REFUSED') {
    const remedy = 'A token works once and only for a while: ask the operator for a new one (coordinator site enrol NAME).';
    return new FederationError(error.code, error.message, { details: error.details, remedy });
  }
  if (error.code !== 'NOT_FOUND') return error;
  const remedy = 'Check the address: it should be the coordinator’s, such as https://coordinator.example:7340';
  return new FederationError('COORDINATOR_UNREACHABLE', 'something else than a coordinator answers at this address', { remedy });
}

function parseJson(body: string, coordinatorUrl: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new FederationError('COORDINATOR_UNREACHABLE', `${coordinatorUrl} does not answer like a coordinator`, {
      cause,
      remedy: 'Check the address.',
    });
  }
}
