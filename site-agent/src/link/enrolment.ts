import { FederationError } from '@consilium/shared/kernel';
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

/**
 * Trades a one-time token for the site's credential. Throws TOKEN_REFUSED, PROTOCOL_VERSION when there is no version that both
 * sides speak, or COORDINATOR_UNREACHABLE when nothing answers at the address.
 */
export async function enrol(coordinatorUrl: string, token: string, agentVersion: string): Promise<EnrolmentAnswer> {
  try {
    return await ask(coordinatorUrl, { protocolVersion: PROTOCOL_VERSION, token, agentVersion });
  } catch (thrown) {
    const error = FederationError.from(thrown);
    // A refusal of the version leaves the token unspent.
    const protocolVersion = protocolToTry(error, PROTOCOL_VERSION);
    if (protocolVersion === undefined) throw error;
    return ask(coordinatorUrl, { protocolVersion, token, agentVersion });
  }
}

async function ask(coordinatorUrl: string, request: EnrolmentRequest): Promise<EnrolmentAnswer> {
  const { ok, status, body } = await post(coordinatorAddress(coordinatorUrl, DATA_PATHS.enrolment), request);
  if (!ok) throw explain(errorOfResponse(status, body));
  const answer = parseWith(
    enrolmentAnswerSchema,
    parseJson(body, coordinatorUrl),
    'MESSAGE_REFUSED',
    'the answer to the enrolment',
  );
  agreeOnProtocol(exactly(answer.protocolVersion), 'coordinator');
  return answer;
}

async function post(url: string, request: EnrolmentRequest): Promise<{ ok: boolean; status: number; body: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(20_000),
    });
    return { ok: response.ok, status: response.status, body: await response.text() };
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
