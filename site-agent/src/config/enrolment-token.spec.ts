import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { enrolmentToken, type TokenSources } from './enrolment-token.js';

describe('the enrolment token', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'token-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const fileWith = (text: string): string => {
    const path = join(folder, 'token');
    writeFileSync(path, text);
    return path;
  };
  const saying = (text: string): NodeJS.ReadStream => {
    const input = new PassThrough();
    input.end(text);
    return Object.assign(input, { isTTY: false }) as unknown as NodeJS.ReadStream;
  };
  const from = (sources: TokenSources): Promise<string> => enrolmentToken({ environment: {}, input: saying(''), ...sources });

  it('comes from a file, standard input, the command line or the environment', async () => {
    expect(await from({ tokenFile: fileWith('  enrol_file\n') })).toBe('enrol_file');
    expect(await from({ tokenFile: '-', input: saying('enrol_typed\nrest') })).toBe('enrol_typed');
    expect(await from({ token: 'enrol_line' })).toBe('enrol_line');
    const environment = { CONSILIUM_ENROLMENT_TOKEN: 'enrol_outside' };
    expect(await from({ environment })).toBe('enrol_outside');
    expect(await from({ environment, tokenFile: fileWith('enrol_file') })).toBe('enrol_file');
  });

  it('is asked for at a terminal', async () => {
    const input = Object.assign(saying('enrol_typed\n'), { isTTY: true });
    expect(await from({ input: input })).toBe('enrol_typed');
  });

  it('is missed in words, and what was given in its place is not repeated', async () => {
    const wrong = (message: string) => ({ code: 'ARGUMENT_INVALID', message: expect.stringContaining(message) as string });
    await expect(from({})).rejects.toMatchObject(wrong('missing'));
    await expect(from({ token: 'a', tokenFile: 'b' })).rejects.toMatchObject(wrong('twice'));
    await expect(from({ tokenFile: join(folder, 'none') })).rejects.toMatchObject(wrong('cannot be read'));
    await expect(from({ tokenFile: fileWith('two secret words') })).rejects.toMatchObject({
      message: 'what was given is no token',
    });
    await expect(from({ tokenFile: '-' })).rejects.toMatchObject(wrong('no token'));
  });
});
