import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { prepareFolder, readRecord, roundFolder, writeRecord } from './round-folder.js';

describe('the folder of a participation', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'round-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('lies below the rounds folder, whatever the coordinator calls it', () => {
    expect(roundFolder(home, 'participation_4f1c').path).toBe(join(home, 'participation_4f1c'));
    for (const name of ['../elsewhere', '/etc', '..', 'a/b', '', '.hidden', 'x'.repeat(200)]) {
      expect(() => roundFolder(home, name)).toThrow('not a plain identifier');
    }
  });

  it('is cleared of half-written files, and of nothing else', async () => {
    const { path, updateFile } = roundFolder(home, 'p');
    await prepareFolder(path);
    writeFileSync(updateFile, 'whole');
    writeFileSync(`${updateFile}.123.partial`, 'ha');
    await prepareFolder(path);
    expect([existsSync(updateFile), existsSync(`${updateFile}.123.partial`)]).toEqual([true, false]);
  });

  it('keeps records, and takes one that does not read for none', async () => {
    const schema = z.object({ steps: z.int() });
    const path = join(home, 'record.json');
    expect(await readRecord(path, schema)).toBeUndefined();
    await writeRecord(path, { steps: 3 });
    expect(await readRecord(path, schema)).toEqual({ steps: 3 });
    for (const damaged of ['{"steps":', '{"steps":"three"}', '']) {
      writeFileSync(path, damaged);
      expect(await readRecord(path, schema)).toBeUndefined();
    }
  });

  it('says so when it cannot be made', async () => {
    writeFileSync(join(home, 'file'), '');
    await expect(prepareFolder(join(home, 'file', 'p'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});
