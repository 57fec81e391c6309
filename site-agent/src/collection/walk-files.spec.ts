import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { requirePaths, walkFiles, type WalkProblem } from './walk-files.js';

describe('walkFiles', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'walk-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function walk(...roots: string[]): Promise<{ names: string[]; batches: number[]; problems: WalkProblem[] }> {
    const problems: WalkProblem[] = [];
    const names: string[] = [];
    const batches: number[] = [];
    for await (const batch of walkFiles(roots, (problem) => problems.push(problem))) {
      batches.push(batch.length);
      names.push(...batch.map(({ path }) => basename(path)));
    }
    return { names: names.sort(), batches, problems };
  }

  it('streams a folder of 100,000 files in batches', async () => {
    for (const source of ['even', 'odd']) writeFileSync(join(folder, source), ''); // linked: quicker than written
    for (let file = 2; file < 100_000; file++)
      linkSync(join(folder, file % 2 === 0 ? 'even' : 'odd'), join(folder, String(file)));
    const { names, batches } = await walk(folder);
    expect(names).toHaveLength(100_000);
    expect(new Set(names).size).toBe(100_000);
    expect(Math.max(...batches)).toBeLessThanOrEqual(512);
  }, 300_000);

  it('takes files as roots, enters a folder under its own name, and each once', async () => {
    mkdirSync(join(folder, 'b', 'c'), { recursive: true });
    writeFileSync(join(folder, 'b', 'c', 'x.nii'), 'x');
    symlinkSync(join(folder, 'b'), join(folder, 'a'));
    expect((await walk(folder, join(folder, 'b'))).names).toEqual(['x.nii']);
    expect((await walk(join(folder, 'b', 'c', 'x.nii'))).names).toEqual(['x.nii']);
  });

  it('refuses roots that are not there', async () => {
    await expect(walk(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
    await expect(requirePaths([folder, join(folder, 'nowhere')])).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
  });
});
