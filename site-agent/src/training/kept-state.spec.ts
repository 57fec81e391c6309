import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import type { RoundPlan } from '@consilium/shared/wire';
import { makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { digestOfKept, type KeptState, keptParts, readKeptState, writeKeptState } from './kept-state.js';

const [model, wider] = [1, 2].map((width) => modelSpecSchema.parse({ architecture: 'genesis-unet3d', width })) as [
  ModelSpec,
  ModelSpec,
];
const { objective } = makeTrainAssignment().plan;
const weights = initialWeights(model, 1);
const isNorm = (name: string): boolean => /^[ed]\d\.[14]\./.test(name);
const plan: RoundPlan = {
  ...makeTrainAssignment().plan,
  model,
  siteLocal: ['norms'],
  updates: { format: 'int8', errorFeedback: true },
  localRule: { kind: 'control-variates', control: null },
};
const federated = weights.filter(({ name }) => !isNorm(name));
const state: KeptState = { residual: federated, control: federated, siteLocal: weights.filter(({ name }) => isNorm(name)) };

describe('what a site keeps of a campaign', () => {
  let folder: string;
  let path: string;
  let warnings: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kept-'));
    path = join(folder, 'state.safetensors');
    warnings = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const read = (wanted = keptParts(plan)) => readKeptState(path, wanted, (text) => warnings.push(text));

  it('is what the plan asks for', () => {
    expect(keptParts(makeTrainAssignment().plan)).toEqual({});
    expect(Object.keys(keptParts(plan))).toEqual(['residual', 'control', 'siteLocal']);
    expect(keptParts({ model, objective, updates: { format: 'f32', errorFeedback: true } })).toEqual({});
    expect(keptParts({ model, objective, updates: { format: 'f16', errorFeedback: false } })).toEqual({});
    expect(keptParts({ model, objective, localRule: { kind: 'proximal', mu: 1 } })).toEqual({});
  });

  it('comes back to the bit, and only the parts that are wanted', async () => {
    expect(await read()).toEqual({ state: {} });
    const digest = await writeKeptState(path, state);
    expect(await read()).toEqual({ state, digest });
    expect(await digestOfKept(path)).toBe(digest);
    expect((await read(keptParts({ model, objective, siteLocal: ['norms'] }))).state).toEqual({ siteLocal: state.siteLocal });
    expect(await read({})).toEqual({ state: {} });
    expect(warnings).toEqual([]);
  });

  it('has one name for equal contents', async () => {
    const digest = await writeKeptState(path, state);
    expect(await writeKeptState(path, structuredClone(state))).toBe(digest);
    expect(await writeKeptState(path, { ...state, control: undefined })).not.toBe(digest);
  });

  it.each<[string, () => void]>([
    ['cut short', () => truncateSync(path, 500)],
    ['altered in one value', () => flipLastByte(path)],
    ['something else', () => writeFileSync(path, 'no tensors')],
  ])('is taken for nothing, with a warning, when it is %s', async (_what, damage) => {
    await writeKeptState(path, state);
    damage();
    expect(await read()).toEqual({ state: {} });
    expect(await digestOfKept(path)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('starts afresh')]);
  });

  it('is taken for nothing when it is another model’s', async () => {
    await writeKeptState(path, state);
    expect(await read(keptParts({ ...plan, model: wider }))).toEqual({ state: {} });
    expect(warnings).toHaveLength(1);
  });
});

function flipLastByte(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
}
