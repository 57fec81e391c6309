import { reasonOf } from './coordinator-address.js';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at its address',
  ENOTFOUND: 'its name is not known here',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'no way leads to it',
  ENETUNREACH: 'there is no network',
  ETIMEDOUT: 'it does not answer',
  ECONNRESET: 'the connection was cut',
};

/** Why socket.io could not connect, in words and with the system's code; socket.io hides the cause differently in each transport. */
export function reasonOfConnectError(error: Error): string {
  const candidates = [
    memberOf(memberOf(error, 'description'), 'error'),
    memberOf(memberOf(error, 'context'), 'statusText'),
    error,
  ];
  const reason = reasonOf(candidates.find((candidate) => typeof memberOf(candidate, 'code') === 'string') ?? error);
  const words = WORDS[reason];
  return words === undefined ? reason : `${words}, ${reason}`;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined;
}
