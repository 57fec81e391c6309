import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveAuthorization, PASSWORD_VARIABLE, TOKEN_VARIABLE } from './archive-credentials.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, 'secret');
  writeFileSync(file, text);
  return file;
}

describe('archiveAuthorization', () => {
  it('is absent when nothing is given', () => {
    expect(archiveAuthorization({ environment: {} })).toBeUndefined();
    expect(archiveAuthorization({ environment: { [TOKEN_VARIABLE]: '' } })).toBeUndefined();
  });

  it('takes a password from a file before the environment, without its line end', () => {
    const environment = { [PASSWORD_VARIABLE]: 'from outside' };
    const expected = (password: string): string => `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`;
    expect(archiveAuthorization({ user: 'ann', environment })).toBe(expected('from outside'));
    expect(archiveAuthorization({ user: 'ann', passwordFile: fileWith(' pä:ss \r\n'), environment })).toBe(expected(' pä:ss '));
  });

  it('takes a token from a file before the environment, but not beside a user', () => {
    const environment = { [TOKEN_VARIABLE]: 'ey.outside', [PASSWORD_VARIABLE]: 'p' };
    expect(archiveAuthorization({ environment })).toBe('Bearer ey.outside');
    expect(archiveAuthorization({ tokenFile: fileWith('ey.file\n'), environment })).toBe('Bearer ey.file');
    expect(archiveAuthorization({ user: 'ann', environment })).toMatch(/^Basic /);
  });

  it.each([
    ['a user without password', { user: 'ann' }],
    ['a password without user', { passwordFile: 'x' }],
    ['a user and a token', { user: 'ann', tokenFile: 'x' }],
    ['a user with a colon', { user: 'a:b', environment: { [PASSWORD_VARIABLE]: 'p' } }],
    ['a file that is not there', { tokenFile: '/nowhere/token' }],
    ['a token of two lines', { environment: { [TOKEN_VARIABLE]: 'a\r\nHost: b' } }],
  ])('refuses %s', (_, sources) => {
    expect(() => archiveAuthorization({ environment: {}, ...sources })).toThrow(
      expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
    );
  });

  it('refuses an empty file', () => {
    expect(() => archiveAuthorization({ tokenFile: fileWith('\n'), environment: {} })).toThrow(/is empty/);
  });
});
