import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOrMakeSecret } from './secret-file.js';

const DAMAGE = { what: 'the secret', remedy: 'Restore it.' };

describe('a secret in a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'secret-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is made once, for its owner alone, and read ever after', () => {
    const file = join(folder, 'home', 'noise.secret');
    const secret = readOrMakeSecret(file, DAMAGE);
    expect(secret).toHaveLength(32);
    expect(readOrMakeSecret(file, DAMAGE)).toEqual(secret);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'home'))).toEqual(['noise.secret']);
    expect(readOrMakeSecret(join(folder, 'other'), DAMAGE)).not.toEqual(secret);
  });

  it('is refused when it is damaged, and never replaced', () => {
    const file = join(folder, 'noise.secret');
    writeFileSync(file, 'short');
    expect(() => readOrMakeSecret(file, DAMAGE)).toThrow(/the secret .* is damaged/);
    expect(statSync(file).size).toBe(5);
  });
});
