import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { campaignPlanSchema, patchPlanSchema } from '@consilium/shared/wire';
import { parse } from 'yaml';
import { classificationFileSchema } from '../../../site-agent/src/finetuning/tasks/classification-task.js';
import { segmentationFileSchema } from '../../../site-agent/src/finetuning/tasks/segmentation-task.js';
import { pretrainRecipeSchema } from '../../../site-agent/src/pretraining/pretrain-recipe.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { laidOver, readProtocol } from './protocol.js';
import { chosenRuns, type EvidenceRun, workList } from './work-list.js';

const folder = join(PROJECT_ROOT, 'deploy', 'evidence');
const read = (name: string) => readProtocol(join(folder, name));

/** Throws unless the programs take the settings of this run. */
function check(run: EvidenceRun): void {
  switch (run.kind) {
    case 'pretraining':
      if (run.plan.kind === 'central') pretrainRecipeSchema.parse(run.settings);
      else campaignPlanSchema.parse({ ...run.settings, sites: Object.keys(run.plan.sites) });
      return;
    case 'probe':
      expect(() => new RegExp(run.plan.files ?? '')).not.toThrow();
      patchPlanSchema.parse(run.plan.patch);
      return;
    case 'finetuning': {
      const someCase = { image: 'a.nii.gz', label: 'b.nii.gz' };
      if (run.settings['kind'] === 'segmentation')
        segmentationFileSchema.parse({ ...run.settings, cases: { train: [someCase] } });
      else classificationFileSchema.parse({ ...run.settings, split: 'cases.csv' });
    }
  }
}

describe.each(['protocol.yaml', 'smoke.yaml'])('%s', (file) => {
  const protocol = read(file);
  const runs = workList(protocol, folder);

  it('holds runs that the programs take, each once', () => {
    for (const run of runs) check(run);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(runs.length);
  });

  it('gives all arms of a task the same schedule', () => {
    for (const [task, { task: taskFile }] of Object.entries(protocol.tasks)) {
      const stated = parse(readFileSync(join(folder, taskFile), 'utf8')) as { training: { learningRate: number } };
      const schedules = runs.flatMap((run) => {
        if (run.kind !== 'finetuning' || run.taskName !== task) return [];
        const training = Object.entries(run.settings['training'] as Record<string, unknown>);
        const schedule = Object.fromEntries(training.filter(([field]) => field !== 'augmentation' && field !== 'seed'));
        return [{ labels: run.labels, schedule }];
      });
      expect(schedules.map(({ schedule }) => schedule['learningRate'])).toEqual(
        schedules.map(() => stated.training.learningRate),
      );
      const first = new Map([...schedules].reverse().map(({ labels, schedule }) => [labels, schedule]));
      for (const { labels, schedule } of schedules) expect(schedule).toEqual(first.get(labels));
    }
  });

  it('pretrains before it fine-tunes, and does a label count with every arm and seed before the next', () => {
    const kinds = runs.map(({ kind }) => kind);
    expect(kinds.lastIndexOf('pretraining')).toBeLessThan(kinds.indexOf('probe'));
    expect(kinds.lastIndexOf('probe')).toBeLessThan(kinds.indexOf('finetuning'));
    const own = runs.flatMap((run) => (run.kind === 'finetuning' && run.taskName === 'hippocampus' ? [run] : []));
    const counts = protocol.tasks['hippocampus']?.labels ?? [];
    expect([...new Set(own.map(({ labels }) => labels))]).toEqual(counts);
    for (const count of counts) {
      const arms = Object.keys(protocol.arms).filter(
        (arm) => protocol.arms[arm]?.on?.includes(`hippocampus-n${count}`) !== false,
      );
      const first = own.findIndex(({ labels }) => labels === count);
      const block = own.slice(first, first + arms.length * protocol.seeds.length);
      expect(block.map(({ labels, arm }) => [labels, arm])).toEqual(
        protocol.seeds.flatMap(() => arms.map((arm) => [count, arm])),
      );
    }
  });

  it('names comparisons that there are where an arm takes part in some only', () => {
    const names = runs.flatMap((run) => (run.kind === 'finetuning' ? [run.id.replace(`-${run.arm}-seed${run.seed}`, '')] : []));
    for (const { on = [] } of Object.values(protocol.arms)) expect(names).toEqual(expect.arrayContaining([...on]));
  });
});

describe('the runs that are chosen', () => {
  const runs = workList(read('protocol.yaml'), folder);
  const idsOf = (only: readonly string[], further: boolean) => chosenRuns(runs, { only, further }).map(({ id }) => id);

  it('leave further questions, with all that needs them, until they are asked', () => {
    const usual = idsOf([], false);
    expect(idsOf([], true)).toEqual(runs.map(({ id }) => id));
    const left = runs.filter(({ id }) => !usual.includes(id));
    expect(left.length).toBeGreaterThan(0);
    for (const { id, further } of left) expect([id, further]).toEqual([expect.stringMatching(/again|longer|plateau/), true]);
    // Nothing that is run needs what is left.
    for (const run of runs) if ('from' in run && run.from?.further === true) expect(run.further).toBe(true);
  });

  it('are those of a name, further ones too', () => {
    expect(idsOf(['adrenal-plateau-all-scratch', 'pretrain-site-a'], false)).toEqual([
      'pretrain-site-a-alone-seed1',
      ...[1, 2, 3].map((seed) => `adrenal-plateau-all-scratch-seed${seed}`),
    ]);
  });
});

describe('the name of a run’s inputs', () => {
  const protocol = read('protocol.yaml');
  const inputsOf = (changed: typeof protocol) => new Map(workList(changed, folder).map(({ id, inputs }) => [id, inputs]));
  const before = inputsOf(protocol);

  it('changes with what decides the outcome, and with nothing else', () => {
    const genesis = protocol.pretrainings['genesis-central'];
    if (genesis === undefined) throw new Error('the protocol has this pretraining');
    const longer = { ...genesis, changes: { training: { steps: 901 } } };
    const after = inputsOf({ ...protocol, pretrainings: { ...protocol.pretrainings, 'genesis-central': longer } });
    const changed = [...before.keys()].filter((id) => before.get(id) !== after.get(id));
    expect(changed.length).toBeGreaterThan(1);
    expect(changed.every((id) => id.includes('genesis-central'))).toBe(true);
  });
});

describe('changes laid over settings', () => {
  it('reach into objects and replace everything else', () => {
    expect(laidOver({ a: { b: 1, c: [1, 2] }, d: 4 }, { a: { c: [3] }, e: 5 })).toEqual({ a: { b: 1, c: [3] }, d: 4, e: 5 });
    expect(laidOver({ a: { b: 1 } }, { a: 'none' })).toEqual({ a: 'none' });
    expect(laidOver({ a: 1 }, undefined)).toEqual({ a: 1 });
    expect(laidOver({ a: { b: 1, c: 2 } }, { a: { b: null, d: { e: null, f: 1 } } })).toEqual({ a: { c: 2, d: { f: 1 } } });
  });
});
