import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { locateRuntime, runtimeEnvironment, TENSORFLOW_VERSION } from './locate-runtime.js';

const record = {
  formatVersion: 1,
  version: TENSORFLOW_VERSION,
  variant: 'cpu',
  arch: process.arch,
  created: '2030-01-01T00:00:00Z',
  compiler: 'g++ 12',
  digests: {},
};

describe('locateRuntime', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runtime-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function lay(at: string, changes: object = {}): void {
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'tfjs_binding.node'), '');
    writeFileSync(join(at, 'runtime.json'), JSON.stringify({ ...record, ...changes }));
  }

  function codeOf(action: () => unknown): string {
    try {
      action();
    } catch (error) {
      return error instanceof FederationError ? error.code : String(error);
    }
    return 'nothing thrown';
  }

  it('takes the configured folder before all others', () => {
    lay(folder);
    expect(locateRuntime({ runtimeFolder: folder })).toMatchObject({ folder, origin: 'configured', record: { variant: 'cpu' } });
  });

  it('never falls back silently from a configured folder', () => {
    expect(codeOf(() => locateRuntime({ runtimeFolder: folder }))).toBe('RUNTIME_MISSING');
  });

  it.each([
    ['another release', { version: '2.9.1' }],
    ['another processor', { arch: 'mips' }],
    ['an unknown format', { formatVersion: 2 }],
  ])('refuses a folder of %s', (_name, changes) => {
    lay(folder, changes);
    expect(codeOf(() => locateRuntime({ runtimeFolder: folder }))).toBe('RUNTIME_MISSING');
  });

  it('refuses an unfinished folder: runtime.json is written last', () => {
    writeFileSync(join(folder, 'tfjs_binding.node'), '');
    expect(codeOf(() => locateRuntime({ runtimeFolder: folder }))).toBe('RUNTIME_MISSING');
    writeFileSync(join(folder, 'runtime.json'), '{"formatVersion":');
    expect(codeOf(() => locateRuntime({ runtimeFolder: folder }))).toBe('RUNTIME_MISSING');
  });

  it('finds the wanted variant in the cache', () => {
    const at = join(folder, 'consilium', 'runtime', `tensorflow-gpu-${TENSORFLOW_VERSION}-${process.arch}`);
    lay(at, { variant: 'gpu', libraryFolders: ['nvidia/cudnn/lib'] });
    const found = locateRuntime({ cacheFolder: folder, variant: 'gpu' });
    expect(found).toMatchObject({ folder: at, origin: 'cache' });
    expect(runtimeEnvironment(found, '/opt/lib')).toMatchObject({ LD_LIBRARY_PATH: `${at}/nvidia/cudnn/lib:/opt/lib` });
  });

  it('says what to do without naming a folder in the part that crosses the wire', () => {
    try {
      locateRuntime({ runtimeFolder: folder });
    } catch (error) {
      const failure = FederationError.from(error);
      expect(failure.remedy).toContain(folder);
      expect(failure.toReport().message).not.toContain(folder);
    }
    expect.assertions(2);
  });
});
