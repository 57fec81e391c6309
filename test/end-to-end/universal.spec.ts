import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ADVERSARY_PREFIX, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { type RoundPlan, roundPlanSchema } from '@consilium/shared/wire';
import { indexCollection } from '../../site-agent/src/collection/index-collection.js';
import { type SiteFolder, siteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { UNIVERSAL_SIZE, UNIVERSAL_SPEC } from '../fixtures/made-universal.js';
import { eventually, pretrain, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

const MODEL = modelSpecSchema.parse({ ...UNIVERSAL_SPEC, width: 2 });

class UniversalWorld extends TrainerWorld {
  /** A site with so many made scans of each modality. */
  async siteOf(name: string, scans: Readonly<Record<'CT' | 'MR', number>>): Promise<SiteFolder> {
    const site = siteFolder(join(this.folder, name));
    for (const folder of [site.home, site.modelsFolder]) mkdirSync(folder, { recursive: true });
    for (const modality of ['CT', 'MR'] as const) {
      const folder = join(this.folder, `${name}-${modality}`);
      mkdirSync(folder, { recursive: true });
      for (let scan = 0; scan < scans[modality]; scan++)
        writeNifti(join(folder, `${scan}.nii`), makePhantom(`${name}-${modality}-${scan}`, modality));
      if (scans[modality] > 0) await indexCollection({ paths: [folder], site, modality });
    }
    return site;
  }

  async universalPlan(adversary: object, training: Partial<RoundPlan['training']> = {}): Promise<RoundPlan> {
    const optimizer = { kind: 'adam', learningRate: 0.003, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
    const plan = await this.plan({ optimizer, batchSize: 6, steps: 30, checkpointEverySteps: 3, ...training }, MODEL);
    const sizes = [
      [36, 36, 24],
      [24, 24, 12],
      [12, 12, 8],
    ];
    return roundPlanSchema.parse({
      ...plan,
      objective: { kind: 'universal-model', transforms: { nonlinearProbability: 0.1 }, adversary },
      patch: { sizeVoxels: [...UNIVERSAL_SIZE], scales: { sizes } },
      probe: { patches: 12 },
    });
  }
}

describe('a trainer process with a universal objective', () => {
  const world = new UniversalWorld();
  let both: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    both = await world.siteOf('both', { CT: 2, MR: 2 });
  });
  afterAll(() => world.remove());

  it.each([{ mode: 'reversal' }, { mode: 'alternating' }, { mode: 'frozen' }])(
    'learns, and reports its monitors: $mode',
    async (adversary) => {
      const plan = await world.universalPlan(adversary);
      const { handle, progress, warnings, announcements } = startTrainer(world.order(both, plan, `learn-${adversary.mode}`));
      const result = await handle.finished;
      if (result.kind !== 'pretrain') throw new Error('another kind of result');
      expect(warnings).toEqual([]);
      expect(announcements.filter((text) => text.includes('adversary'))).toEqual([]);
      const { monitors } = result.report;
      expect(monitors?.base.patches).toBe(12);
      expect(monitors?.trained.restoration.map(({ modality, patches }) => [modality, patches])).toEqual([
        ['CT', 6],
        ['MR', 6],
      ]);
      for (const [i, { restorationError }] of (monitors?.trained.restoration ?? []).entries())
        expect(restorationError).toBeLessThan(monitors?.base.restoration[i]?.restorationError ?? 0);
      for (const seen of [monitors?.base, monitors?.trained]) {
        expect(seen?.scaleAccuracy).toBeGreaterThanOrEqual(0);
        expect(seen?.modalityAccuracy).toBeGreaterThanOrEqual(0);
        expect(seen?.featureRank).toBeGreaterThanOrEqual(1);
        expect(seen?.featureRank).toBeLessThanOrEqual(12);
      }
      const training = progress.filter(({ phase, step }) => phase === 'training' && step > 0);
      expect(training.at(-1)?.figures).toMatchObject({ restorationError: expect.any(Number) as number });
      expect(result.report.lastLoss).toBeLessThan(training[0]?.loss ?? 0);
      const { weights } = await readSafetensors(result.updatePath);
      const moved = weights.filter(
        ({ name, values }) => name.startsWith(ADVERSARY_PREFIX) && values.some((value) => value !== 0),
      );
      expect(moved.length > 0).toBe(adversary.mode !== 'frozen');
      process.stderr.write(
        `${adversary.mode}: loss ${training[0]?.loss?.toFixed(2)} → ${result.report.lastLoss?.toFixed(2)}, scale ${monitors?.trained.scaleAccuracy?.toFixed(2)}, ` +
          `modality ${monitors?.trained.modalityAccuracy?.toFixed(2)}, rank ${monitors?.trained.featureRank.toFixed(1)}\n`,
      );
    },
    120_000,
  );

  it('trains without the adversary where there is one modality, and says so', async () => {
    const site = await world.siteOf('ct', { CT: 1, MR: 0 });
    const plan = await world.universalPlan({ mode: 'reversal', warmUpShare: 0 }, { steps: 2 });
    const { handle, announcements } = startTrainer(world.order(site, plan, 'single'));
    const result = await handle.finished;
    if (result.kind !== 'pretrain') throw new Error('another kind of result');
    expect(announcements).toContainEqual(expect.stringContaining('all volumes of this site are CT'));
    const { weights } = await readSafetensors(result.updatePath);
    for (const { name, values } of weights)
      if (name.startsWith(ADVERSARY_PREFIX)) expect([name, values.every((value) => value === 0)]).toEqual([name, true]);
  }, 120_000);

  it.each([{ mode: 'alternating' }, { mode: 'reversal' }])(
    'gives the same bytes after a kill -9 as without: $mode',
    async (adversary) => {
      const plan = await world.universalPlan({ ...adversary, warmUpShare: 0.2 });
      const calm = await pretrain(world.order(both, plan, `calm-${adversary.mode}`));
      const order = world.order(both, plan, `killed-${adversary.mode}`);
      const checkpoint = join(roundFolder(both.roundsFolder, `killed-${adversary.mode}`).path, 'checkpoint.safetensors');
      const { handle, progress } = startTrainer(order);
      // Behind the warm-up, so that the adversary's optimizer has a state too.
      await eventually(() => existsSync(checkpoint) && progress.some(({ phase, step }) => phase === 'training' && step >= 9));
      process.kill(handle.pid ?? 0, 'SIGKILL');
      await expect(handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
      const again = startTrainer(order);
      const resumed = await again.handle.finished;
      expect(again.progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(3);
      expect(resumed).toMatchObject({
        digest: calm.digest,
        report: { lastLoss: calm.report.lastLoss, monitors: calm.report.monitors },
      });
    },
    120_000,
  );
});
