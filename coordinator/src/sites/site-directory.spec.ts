import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { loadCoordinatorConfig } from '../config/coordinator-config.js';
import { dataSourceOptions } from '../records/data-source.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { SiteDirectory } from './site-directory.js';

describe('SiteDirectory', () => {
  const clock = { timeMs: 1_000_000, nowMs: () => clock.timeMs };
  let home: string;
  let database: DataSource;
  let sites: SiteDirectory;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'sites-'));
    database = await new DataSource(dataSourceOptions(join(home, 'coordinator.sqlite'))).initialize();
    const { config } = loadCoordinatorConfig({ flags: { home }, environment: {} });
    sites = new SiteDirectory(new UnitOfWork(database), new AuditLog(clock), config, clock);
  });

  afterEach(async () => {
    await database.destroy();
    rmSync(home, { recursive: true });
  });

  it('turns a token into a credential, once', async () => {
    const { token } = await sites.invite('hospital-a', 'operator');
    const { site, credential } = await sites.enrol(token, '0.1.0', 2);
    expect(await sites.authenticate(credential)).toMatchObject({ id: site.id, name: 'hospital-a', state: 'enrolled' });
    await expect(sites.enrol(token, '0.1.0', 2)).rejects.toMatchObject({ code: 'TOKEN_REFUSED' });
    await expect(sites.invite('hospital-a', 'operator')).rejects.toMatchObject({ code: 'NAME_TAKEN' });
  });

  it('lets a token expire after a day, and replaces it on request', async () => {
    const { token } = await sites.invite('hospital-a', 'operator');
    clock.timeMs += 86_400_000;
    await expect(sites.enrol(token, '0.1.0', 2)).rejects.toThrow('expired');
    const renewed = await sites.invite('hospital-a', 'operator');
    await expect(sites.enrol(token, '0.1.0', 2)).rejects.toMatchObject({ code: 'TOKEN_REFUSED' });
    expect((await sites.enrol(renewed.token, '0.1.0', 2)).site.name).toBe('hospital-a');
  });

  it('refuses a revoked credential, and lets the site enrol anew under its old identity', async () => {
    const { site, credential } = await sites.enrol((await sites.invite('hospital-a', 'operator')).token, '0.1.0', 2);
    await sites.revoke('hospital-a', 'operator');
    await expect(sites.authenticate(credential)).rejects.toThrow('revoked');
    const again = await sites.enrol((await sites.invite('hospital-a', 'operator')).token, '0.1.0', 2);
    expect(again.site.id).toBe(site.id);
    await expect(sites.authenticate(credential)).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    await expect(sites.revoke('nobody', 'operator')).rejects.toMatchObject({ code: 'SITE_UNKNOWN' });
  });

  it('notes the protocol spoken, and until when a site rests, once', async () => {
    const { site } = await sites.enrol((await sites.invite('hospital-a', 'operator')).token, '0.1.0', 1);
    await sites.noteConnected(site.id, '0.2.0', 2);
    await sites.noteSeen(site.id);
    expect(await sites.noteRest(site.id, undefined)).toBe(false);
    expect(await sites.noteRest(site.id, 3_600_000)).toBe(true);
    clock.timeMs += 20_000;
    expect(await sites.noteRest(site.id, 3_580_500)).toBe(false);
    const [noted] = await sites.list();
    expect(noted).toMatchObject({ agentVersion: '0.2.0', protocolVersion: 2, restUntilMs: clock.timeMs + 3_580_000 });
    expect(await sites.noteRest(site.id, undefined)).toBe(true);
    expect((await sites.list())[0]?.restUntilMs).toBeNull();
  });

  it('keeps no secret in its files', async () => {
    const { token } = await sites.invite('hospital-a', 'operator');
    const { credential } = await sites.enrol((await sites.invite('hospital-a', 'operator')).token, '0.1.0', 2);
    for (const name of ['coordinator.sqlite', 'coordinator.sqlite-wal']) {
      const bytes = readFileSync(join(home, name));
      expect([bytes.includes(token), bytes.includes(credential)]).toEqual([false, false]);
    }
  });
});
