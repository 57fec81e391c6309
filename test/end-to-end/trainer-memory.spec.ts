import { existsSync, readFileSync } from 'node:fs';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { asPretrainResult, eventually, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

const MIB = 2 ** 20;

describe('the memory of a trainer process', () => {
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('clinic', ['a', 'b']);
  });
  afterAll(() => world.remove());

  it('is planned and told in one line, measured, and kept in the local record only', async () => {
    const plan = await world.plan({ steps: 6 });
    const { handle, announcements, warnings } = startTrainer(world.order(site, plan, 'roomy'));
    const result = asPretrainResult(await handle.finished);
    const told = announcements.filter((text) => text.startsWith('memory: '));
    expect(told).toEqual([expect.stringMatching(/^memory: training needs about [\d.]+ MiB of .*; nothing changed$/)]);
    expect(warnings).toEqual([]);
    const peak = result.peakResidentBytes ?? 0;
    expect(peak).toBeGreaterThan(100 * MIB);
    const foreseen = Number(/about ([\d.]+) MiB/.exec(told[0] ?? '')?.[1]) * MIB;
    process.stderr.write(`foreseen ${(foreseen / MIB).toFixed(0)} MiB, measured ${(peak / MIB).toFixed(0)} MiB\n`);
    expect(peak / foreseen).toBeGreaterThan(0.7);
    expect(peak / foreseen).toBeLessThan(1.15);
    const record = JSON.parse(readFileSync(roundFolder(site.roundsFolder, 'roomy').resultFile, 'utf8')) as Record<
      string,
      unknown
    >;
    expect(record['peakResidentBytes']).toBe(peak);
    expect(JSON.stringify(result.report)).not.toContain('esident');
  }, 60_000);

  it('is refused before the first step when it cannot be enough, saying what would be', async () => {
    const plan = await world.plan({ steps: 6 });
    const order = { ...world.order(site, plan, 'cramped'), limits: { threads: 1, memoryBytes: 200 * MIB } };
    const { handle, progress } = startTrainer(order);
    await expect(handle.finished).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: expect.stringMatching(/needs at least about [\d.]+ MiB of memory, but there is 200 MiB \(memoryLimit\)/) as string,
      details: { limitMib: 200 },
    });
    expect(progress.some(({ phase }) => phase === 'training')).toBe(false);
  }, 60_000);

  it('makes the kernel kill the trainer rather than the agent', async () => {
    const plan = await world.plan({ steps: 200 });
    const { handle, progress } = startTrainer(world.order(site, plan, 'first'));
    await eventually(() => progress.length > 0);
    const file = `/proc/${handle.pid}/oom_score_adj`; // Linux only
    expect(existsSync(file) ? Number(readFileSync(file, 'utf8')) : 500).toBe(500);
    await handle.stop();
  }, 60_000);
});
