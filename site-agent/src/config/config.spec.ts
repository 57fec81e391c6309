import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainAgentConfig, loadAgentConfig } from './agent-config.js';
import { defaultHome } from './default-home.js';
import { siteFolder } from './site-folder.js';
import { readIdentity, requireIdentity, saveIdentity } from './site-identity.js';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'site-config-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('agent configuration', () => {
  it('has defaults that need no file', () => {
    const config = loadAgentConfig({ home, environment: {} });
    expect(config).toMatchObject({ coordinatorUrl: undefined, threads: undefined, logLevel: 'info', syncEveryMs: 20_000 });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('lets flags win over the environment, and that over the file', async () => {
    await writeFile(join(home, 'site.yaml'), 'threads: 2\nsyncEvery: 5s\nlogLevel: warn\n');
    const sources = {
      home,
      environment: { CONSILIUM_SITE_THREADS: '3', CONSILIUM_SITE_LOG_LEVEL: 'error' },
      flags: { threads: '4' },
    };
    expect(loadAgentConfig(sources)).toMatchObject({ threads: 4, logLevel: 'error', syncEveryMs: 5000 });
    const origins = Object.fromEntries(explainAgentConfig(sources).map(({ name, origin }) => [name, origin]));
    expect(origins).toMatchObject({
      threads: '--threads',
      logLevel: 'CONSILIUM_SITE_LOG_LEVEL',
      syncEvery: 'site.yaml',
      statusPort: 'default',
    });
  });

  it('names the wrong field and its origin', async () => {
    await writeFile(join(home, 'site.yaml'), 'thread: 2\n');
    expect(() => loadAgentConfig({ home, environment: {} })).toThrow(/thread/);
    await writeFile(join(home, 'site.yaml'), '- a list\n');
    expect(() => loadAgentConfig({ home, environment: {} })).toThrow(/mapping/);
    await rm(join(home, 'site.yaml'));
    expect(() => loadAgentConfig({ home, environment: { CONSILIUM_SITE_SYNC_EVERY: 'soon' } })).toThrow(
      /CONSILIUM_SITE_SYNC_EVERY/,
    );
    expect(() => loadAgentConfig({ home, environment: {}, flags: { coordinator: 'ftp://x' } })).toThrow(
      /coordinator.*--coordinator/,
    );
  });

  it('takes the hours in which a site trains, and refuses what names none', () => {
    const load = (hours: string) => loadAgentConfig({ home, environment: { CONSILIUM_SITE_HOURS: hours } });
    expect(load('').hours).toBeUndefined();
    expect(load('20:00-06:00').hours?.restsForMs(new Date(2026, 0, 5, 21).getTime())).toBe(0);
    expect(() => load('at night')).toThrow(/hours: "at night" names no hours.*CONSILIUM_SITE_HOURS/);
  });

  it('takes a device from any source and refuses one that is none', async () => {
    expect(loadAgentConfig({ home, environment: {} })).toMatchObject({ device: 'auto', tf32: true });
    await writeFile(join(home, 'site.yaml'), 'device: gpu\ntf32: false\n');
    expect(loadAgentConfig({ home, environment: {} })).toMatchObject({ device: 'gpu', tf32: false });
    const environment = { CONSILIUM_SITE_DEVICE: 'gpu:0,1', CONSILIUM_SITE_TF32: 'true' };
    expect(loadAgentConfig({ home, environment })).toMatchObject({ device: 'gpu:0,1', tf32: true });
    expect(loadAgentConfig({ home, environment, flags: { device: 'cpu' } })).toMatchObject({ device: 'cpu' });
    expect(() => loadAgentConfig({ home, environment: {}, flags: { device: 'cuda' } })).toThrow(/device.*gpu:0,1.*--device/);
  });

  it('takes a limit for uploads, refusing one so low that every upload would break off', () => {
    expect(loadAgentConfig({ home, environment: {} }).uploadBytesPerSecond).toBeUndefined();
    const environment = { CONSILIUM_SITE_UPLOAD_LIMIT: '5MB' };
    expect(loadAgentConfig({ home, environment }).uploadBytesPerSecond).toBe(5e6);
    for (const uploadLimit of ['10kB', '7', 'fast']) {
      expect(() => loadAgentConfig({ home, environment, flags: { uploadLimit } })).toThrow(/uploadLimit.*--upload-limit/);
    }
  });

  it('takes a memory limit with its unit and refuses a bare number', async () => {
    expect(loadAgentConfig({ home, environment: {} }).memoryLimitBytes).toBeUndefined();
    await writeFile(join(home, 'site.yaml'), 'memoryLimit: 2GiB\n');
    expect(loadAgentConfig({ home, environment: {} }).memoryLimitBytes).toBe(2 ** 31);
    const environment = { CONSILIUM_SITE_MEMORY_LIMIT: '750MB' };
    expect(loadAgentConfig({ home, environment }).memoryLimitBytes).toBe(750e6);
    expect(loadAgentConfig({ home, environment, flags: { memoryLimit: '1GiB' } }).memoryLimitBytes).toBe(2 ** 30);
    expect(() => loadAgentConfig({ home, environment, flags: { memoryLimit: '4' } })).toThrow(/memoryLimit.*--memory-limit/);
    expect(loadAgentConfig({ home, environment: {} }).cacheLimitBytes).toBeUndefined();
    expect(loadAgentConfig({ home, environment: { CONSILIUM_SITE_CACHE_LIMIT: '3GiB' } }).cacheLimitBytes).toBe(3 * 2 ** 30);
  });

  it('finds the home in the environment', () => {
    expect(defaultHome({ CONSILIUM_SITE_HOME: 'elsewhere' })).toBe('elsewhere');
    expect(defaultHome({})).toBe('site');
  });
});

describe('site identity', () => {
  it('is readable by the owner only and says what to do when missing', async () => {
    const folder = siteFolder(join(home, 'new'));
    expect(readIdentity(folder)).toBeUndefined();
    expect(() => requireIdentity(folder)).toThrow(expect.objectContaining({ code: 'NOT_JOINED' }) as Error);
    const identity = { siteId: 's', siteName: 'aare', coordinatorUrl: 'http://127.0.0.1:1', credential: 'secret' };
    saveIdentity(folder, identity);
    expect(requireIdentity(folder)).toEqual(identity);
    expect((await stat(folder.identityFile)).mode & 0o777).toBe(0o600);
    await writeFile(folder.identityFile, '{');
    expect(() => requireIdentity(folder)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });
});
