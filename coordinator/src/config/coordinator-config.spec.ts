import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { loadCoordinatorConfig } from './coordinator-config.js';

describe('loadCoordinatorConfig', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'config-'));
  });

  afterEach(() => rmSync(home, { recursive: true }));

  const load = (flags: Record<string, string | number | undefined> = {}, environment: Record<string, string> = {}) =>
    loadCoordinatorConfig({ flags: { home, ...flags }, environment });

  it('works without being told anything', () => {
    const { config } = load();
    expect(config).toMatchObject({
      home,
      host: '127.0.0.1',
      port: 7340,
      tokenLifetimeMs: 86_400_000,
      heartbeatIntervalMs: 5_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('lets flags outrank the environment, the environment the file, the file the defaults, and says which', () => {
    writeFileSync(join(home, 'coordinator.yaml'), 'port: 1001\nhost: 0.0.0.0\ntokenLifetime: 2h\n');
    const environment = { CONSILIUM_COORDINATOR_PORT: '1002', CONSILIUM_COORDINATOR_HOST: '::1' };
    const { config, explained } = load({ port: '1003' }, environment);
    expect(config).toMatchObject({ port: 1003, host: '::1', tokenLifetimeMs: 7_200_000 });
    const origins = Object.fromEntries(explained.map(({ name, origin }) => [name, origin]));
    expect(origins).toMatchObject({ port: 'flag', host: 'environment', tokenLifetime: 'file', logLevel: 'default' });
  });

  it('takes lists and levels from a variable as from the file, and shows them as a variable has them', () => {
    writeFileSync(join(home, 'coordinator.yaml'), 'logLevels:\n  transfer: debug\ntrustedProxies: [10.0.0.5, loopback]\n');
    const fromFile = load();
    expect(fromFile.config.log).toEqual({ level: 'info', levels: { transfer: 'debug' }, format: 'text' });
    expect(fromFile.config.limits.trustedProxies).toEqual(['10.0.0.5', 'loopback']);
    const shown = Object.fromEntries(fromFile.explained.map(({ name, value }) => [name, value]));
    expect(shown).toMatchObject({ logLevels: 'transfer=debug', trustedProxies: '10.0.0.5,loopback' });
    const environment = {
      CONSILIUM_COORDINATOR_LOG_LEVELS: 'transfer=warn, access=silent',
      CONSILIUM_COORDINATOR_TRUSTED_PROXIES: 'none',
    };
    const { config } = load({}, environment);
    expect(config.log.levels).toEqual({ transfer: 'warn', access: 'silent' });
    expect(config.limits.trustedProxies).toEqual([]);
  });

  it.each([
    ['logLevels: {tranfser: debug}\n', 'logLevels'],
    ['trustedProxies: everybody\n', 'trustedProxies'],
    ['prot: 1\n', 'prot'],
    ['port: many\n', 'port'],
    ['tokenLifetime: soon\n', 'tokenLifetime'],
    ['- a list\n', 'coordinator.yaml'],
    ['port: [\n', 'coordinator.yaml'],
  ])('refuses %j and names the culprit', (text, culprit) => {
    writeFileSync(join(home, 'coordinator.yaml'), text);
    const refusal = refusalOf(load);
    expect(refusal.code).toBe('CONFIG_INVALID');
    expect(refusal.message).toContain(culprit);
  });
});
