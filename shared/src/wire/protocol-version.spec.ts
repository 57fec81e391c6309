import { FederationError } from '@consilium/shared/kernel';
import { agreeOnProtocol, exactly, OUR_PROTOCOLS, protocolToTry } from './protocol-version.js';

const range = (oldest: number, newest: number) => ({ oldest, newest });

function refusalOf(work: () => unknown): FederationError {
  try {
    work();
  } catch (error) {
    if (error instanceof FederationError) return error;
  }
  throw new Error('nothing was refused');
}

describe('protocol versions', () => {
  it.each([
    [range(1, 2), range(1, 2), 2],
    [exactly(1), range(1, 2), 1],
    [range(2, 9), range(1, 3), 3],
    [range(1, 9), range(2, 2), 2],
  ])('%j and %j agree on %i, whoever asks', (theirs, ours, agreed) => {
    expect(agreeOnProtocol(theirs, 'site agent', ours)).toBe(agreed);
    expect(agreeOnProtocol(ours, 'coordinator', theirs)).toBe(agreed);
  });

  it.each([
    [exactly(1), range(2, 3), 'site agent', 'Upgrade the site agent.'],
    [range(4, 5), range(2, 3), 'site agent', 'Upgrade the coordinator.'],
    [exactly(1), range(2, 3), 'coordinator', 'Upgrade the coordinator.'],
    [range(4, 5), range(2, 3), 'coordinator', 'Upgrade the site agent.'],
  ] as const)('%j beside %j: the %s hears who must upgrade', (theirs, ours, peer, remedy) => {
    const refusal = refusalOf(() => agreeOnProtocol(theirs, peer, ours));
    expect(refusal).toMatchObject({ code: 'PROTOCOL_VERSION', remedy, details: { theirs: theirs.newest, ours: 3, oldest: 2 } });
  });

  it('refuses a range that is upside down', () => {
    expect(refusalOf(() => agreeOnProtocol(range(3, 1), 'site agent', range(1, 3))).code).toBe('PROTOCOL_VERSION');
  });

  it('tries what the refusing side speaks, unless that was refused or is not spoken here', () => {
    const refusal = (ours: unknown, code: 'PROTOCOL_VERSION' | 'CREDENTIAL_REFUSED' = 'PROTOCOL_VERSION') =>
      new FederationError(code, 'refused', { details: { theirs: 2, ours: ours as number } });
    expect(protocolToTry(refusal(1), 2)).toBe(1);
    expect(protocolToTry(refusal(1), 1)).toBeUndefined();
    expect(protocolToTry(refusal(OUR_PROTOCOLS.newest + 1), 1)).toBeUndefined();
    expect(protocolToTry(refusal(0), 1)).toBeUndefined();
    expect(protocolToTry(refusal('1'), 2)).toBeUndefined();
    expect(protocolToTry(refusal(1, 'CREDENTIAL_REFUSED'), 2)).toBeUndefined();
  });
});
