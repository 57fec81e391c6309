import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  canonicalJson,
  describeError,
  digestOfBytes,
  digestOfFile,
  digestOfJson,
  FederationError,
  formatBytes,
  formatDuration,
  formatShare,
  invariant,
  isDigest,
  newSecret,
  parseDurationMs,
  parseSizeBytes,
} from './index.js';

describe('digests', () => {
  it('are SHA-256 (FIPS 180 test vector)', () => {
    expect(digestOfBytes('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('of a file equal those of its bytes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'digest-'));
    const bytes = Buffer.alloc(3_000_000, 'x');
    await writeFile(join(folder, 'file'), bytes);
    expect(await digestOfFile(join(folder, 'file'))).toBe(digestOfBytes(bytes));
    await rm(folder, { recursive: true });
  });

  it('of JSON ignore key order and undefined members, but not array order', () => {
    expect(digestOfJson({ a: 1, b: [1, 2], c: undefined })).toBe(digestOfJson({ b: [1, 2], a: 1 }));
    expect(digestOfJson({ b: [2, 1], a: 1 })).not.toBe(digestOfJson({ b: [1, 2], a: 1 }));
    expect(canonicalJson({ b: null, a: 'ü' })).toBe('{"a":"ü","b":null}');
  });

  it('are recognised only in their full form', () => {
    expect(isDigest(digestOfBytes(''))).toBe(true);
    expect(isDigest('sha256:12')).toBe(false);
    expect(isDigest(7)).toBe(false);
  });
});

describe('FederationError', () => {
  it('takes HTTP status and exit code from its kind', () => {
    const error = new FederationError('UPDATE_BASE_STALE', 'stale');
    expect([error.kind, error.httpStatus, error.exitCode, error.retryable]).toEqual(['state', 409, 2, false]);
    expect(new FederationError('TRANSFER_BROKEN', 'cut')).toMatchObject({ httpStatus: 503, exitCode: 5, retryable: true });
  });

  it('survives the wire', () => {
    const report = new FederationError('DIGEST_MISMATCH', 'altered', { details: { bytes: 5 } }).toReport();
    expect(FederationError.fromReport(report)).toMatchObject({
      code: 'DIGEST_MISMATCH',
      message: 'altered',
      details: { bytes: 5 },
    });
    expect(FederationError.fromReport({ code: 'NEW_CODE', message: 'm' }).code).toBe('MESSAGE_REFUSED');
  });

  it('never lets a volume error tell its text or details to the wire', () => {
    const report = new FederationError('VOLUME_UNREADABLE', 'smith_john.nii: cut short', {
      details: { name: 'smith' },
    }).toReport();
    expect(JSON.stringify(report)).not.toMatch(/smith/);
  });

  it('recognises a full disk whatever wrapped it', () => {
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
    expect(FederationError.from(full).code).toBe('DISK_FULL');
    expect(FederationError.from({ message: 'from another realm', code: 'ENOSPC' }).code).toBe('DISK_FULL');
    expect(FederationError.from('just text').message).toBe('just text');
    expect(FederationError.from(new Error('x'), 'STORAGE_FAILED').code).toBe('STORAGE_FAILED');
  });

  it('describes itself with its remedy', () => {
    expect(describeError(new FederationError('PORT_BUSY', 'port 1 is taken', { remedy: 'Use --port.' }))).toBe(
      'PORT_BUSY: port 1 is taken\n  Use --port.',
    );
    expect(() => invariant(false, 'x')).toThrow(expect.objectContaining({ code: 'INVARIANT' }) as Error);
  });
});

describe('units', () => {
  it('are parsed and printed', () => {
    expect([parseDurationMs('90s'), parseDurationMs('1.5 h'), parseDurationMs('2min')]).toEqual([90_000, 5_400_000, 120_000]);
    expect([formatDuration(400), formatDuration(83_000), formatDuration(3_720_000)]).toEqual([
      '0.4 s',
      '1 min 23 s',
      '1 h 2 min',
    ]);
    expect([formatShare(0.0042), formatShare(1)]).toEqual(['0.4 %', '100.0 %']);
    expect([formatBytes(12), formatBytes(4_775_044)]).toEqual(['12 B', '4.6 MiB']);
    expect([parseSizeBytes('2GiB'), parseSizeBytes('1.5 MB'), parseSizeBytes('12B')]).toEqual([2 ** 31, 1_500_000, 12]);
    expect(() => parseSizeBytes('2')).toThrow(/"2" is not a quantity like "2GiB"/);
    expect(() => parseDurationMs('soon')).toThrow(/"soon" is not a quantity/);
  });

  it('secrets are long and never alike', () => {
    expect(newSecret('t')).not.toBe(newSecret('t'));
    expect(newSecret('t').length).toBeGreaterThan(40);
  });
});
