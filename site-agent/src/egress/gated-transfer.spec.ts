import { appendFile, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfBytes, required } from '@consilium/shared/kernel';
import { modelSpecSchema } from '@consilium/shared/models';
import {
  elementCount,
  type EncodedTensor,
  encodeElements,
  encodeHeader,
  encodeUpdate,
  type UpdateFormat,
} from '@consilium/shared/weights';
import { auditEntrySchema, objectiveSchema, type RoundPlan } from '@consilium/shared/wire';
import { GatedSite } from '../../../test/fixtures/gated-site.js';
import type { TransferHooks, UpdateParcel, WeightTransfer } from '../agent/weight-transfer.js';
import { egressManifestSchema } from './egress-manifest.js';
import { GatedTransfer } from './gated-transfer.js';
import { updateContents, updateMetadataOf } from './update-contents.js';

/** Takes whatever it is given, and remembers it. */
class FakeTransfer implements WeightTransfer {
  readonly sent: UpdateParcel[] = [];
  /** Called between two pieces. */
  between: () => Promise<void> = async () => undefined;

  async fetchVersion(): Promise<void> {
    return;
  }
  async sendUpdate(parcel: UpdateParcel, { onProgress, signal }: TransferHooks): Promise<string> {
    this.sent.push(parcel);
    onProgress(1, 2);
    await this.between();
    onProgress(2, 2);
    signal.throwIfAborted();
    return 'upload_1';
  }
}

let site: GatedSite;
let fake: FakeTransfer;
afterEach(() => site.close());

const PATIENT = 'MUELLER^ANNA';

/** The tensors of a sound update of the plan, in the number format that it asks for. */
function soundTensors(plan: RoundPlan): EncodedTensor[] {
  const { tensors } = updateContents({ ...plan, updates: undefined });
  const weights = tensors.map(({ name, shape }) => ({ name, shape, values: new Float32Array(elementCount(shape)).fill(0.5) }));
  const format: UpdateFormat = plan.updates?.format ?? 'f32';
  return [...encodeUpdate(weights, format).tensors];
}

function fileOf(tensors: readonly EncodedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.concat([encodeHeader(tensors, metadata).bytes, ...tensors.map(({ bytes }) => bytes)]);
}

const metadataOf = (plan: RoundPlan): Readonly<Record<string, string>> => updateMetadataOf(plan, 20);

/** A file whose header is other JSON than our writer writes, over the same data. */
function withHeader(file: Uint8Array, change: (header: string) => string): Uint8Array {
  const length = Number(Buffer.from(file).readBigUInt64LE());
  const text = change(Buffer.from(file.subarray(8, 8 + length)).toString());
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([prefix, padded, file.subarray(8 + length)]);
}

async function open(changes: Partial<RoundPlan> = {}): Promise<GatedTransfer> {
  site = await GatedSite.open(changes);
  fake = new FakeTransfer();
  return new GatedTransfer(fake, site.parts, site.folder.egressFolder);
}

async function send(gate: GatedTransfer): Promise<string> {
  const update = required(site.journal.participation(site.participationId)?.update, 'what was trained');
  const parcel = { participationId: site.participationId, path: site.updatePath, digest: update.digest };
  const hooks = { signal: new AbortController().signal, onProgress: () => undefined, onWait: () => undefined };
  return gate.sendUpdate({ ...parcel, uploadId: undefined, onCreated: () => undefined }, hooks);
}

async function entries(): Promise<{ kind: string; subject: Record<string, unknown> }[]> {
  const lines = (await readFile(site.folder.auditFile, 'utf8')).trim().split('\n');
  return lines.map((line) => auditEntrySchema.parse(JSON.parse(line)));
}

describe('an update on its way out', () => {
  const universal = {
    model: modelSpecSchema.parse({
      architecture: 'universal-model',
      width: 1,
      norm: 'instance',
      scales: 0,
      adversaryChannels: 1,
    }),
    objective: objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'reversal' } }),
  };

  it.each<[string, Partial<RoundPlan>, ((name: string) => boolean)?]>([
    ['32-bit floats', {}],
    ['16-bit floats', { updates: { format: 'f16', errorFeedback: true } }],
    ['upper halves of floats', { updates: { format: 'bf16', errorFeedback: true } }],
    ['integers with their scales', { updates: { format: 'int8', errorFeedback: true } }],
    ['parameters that are not kept here', { siteLocal: ['norms'] }],
    [
      'control variates',
      { localRule: { kind: 'control-variates', control: null }, updates: { format: 'int8', errorFeedback: true } },
    ],
    ['an adversary that is trained here', universal],
    ['none of an adversary that cannot be', universal, (name) => !name.startsWith('adversary.')],
    [
      'the gradient of an adversary alone',
      {
        ...universal,
        objective: objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 1 } }),
        roundNumber: 2,
      },
    ],
  ])('leaves as its plan names it: %s', async (_what, changes, isHeld = () => true) => {
    const gate = await open(changes);
    const tensors = soundTensors(site.plan).filter(({ name }) => isHeld(name));
    const bytes = fileOf(tensors, metadataOf(site.plan));
    await site.hasTrained(bytes, digestOfBytes(bytes, 'blake3'));
    expect(await send(gate)).toBe('upload_1');
    expect(fake.sent).toHaveLength(1);

    const file = join(site.folder.egressFolder, 'part_1.json');
    expect((await stat(file)).mode & 0o077).toBe(0);
    const text = await readFile(file, 'utf8');
    const manifest = egressManifestSchema.parse(JSON.parse(text));
    expect(manifest).toMatchObject({
      campaign: 'tiny',
      round: site.plan.roundNumber,
      bytes: bytes.length,
      metadata: metadataOf(site.plan),
    });
    expect(manifest.tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual(
      tensors.map(({ name, dtype, shape }) => [name, dtype, shape]),
    );
    for (const [index, { digest, norm, dtype, name, shape }] of manifest.tensors.entries()) {
      expect(digest).toBe(digestOfBytes((tensors[index] as EncodedTensor).bytes, 'blake3'));
      if (!name.endsWith('#scale')) expect(norm).toBeCloseTo(0.5 * Math.sqrt(elementCount(shape)), dtype === 'F32' ? 6 : 2);
    }
    expect(await entries()).toMatchObject([
      { kind: 'egress', subject: { campaign: 'tiny', manifest: digestOfBytes(text), update: manifest.update } },
    ]);
  });

  it.each<[string, (plan: RoundPlan) => Uint8Array, RegExp]>([
    [
      'a tensor too many',
      (plan) => {
        const extra = { name: PATIENT, shape: [4], dtype: 'F32' as const, bytes: new Uint8Array(16) };
        return fileOf([...soundTensors(plan), extra], metadataOf(plan));
      },
      /tensor \d+, F32 \[4\] .* is not one that the plan names/,
    ],
    [
      'a volume in the place of a parameter',
      (plan) => {
        const [first, ...others] = soundTensors(plan) as [EncodedTensor, ...EncodedTensor[]];
        const volume = { ...first, shape: [128, 128, 64], bytes: new Uint8Array(4 * 128 * 128 * 64) };
        return fileOf([volume, ...others], metadataOf(plan));
      },
      /as F32 \[128, 128, 64\], not as/,
    ],
    [
      'another number format than was asked for',
      (plan) => fileOf(soundTensors({ ...plan, updates: { format: 'f16', errorFeedback: true } }), metadataOf(plan)),
      /as F16 .* not as F32/,
    ],
    ['a tensor too few', (plan) => fileOf(soundTensors(plan).slice(1), metadataOf(plan)), /it lacks /],
    [
      'a file name in its metadata',
      (plan) => fileOf(soundTensors(plan), { ...metadataOf(plan), source: '/data/mueller.nii.gz' }),
      /an entry that no update has/,
    ],
    [
      'a path in a known entry of its metadata',
      (plan) => fileOf(soundTensors(plan), { ...metadataOf(plan), base: '/data/mueller.nii.gz' }),
      /metadata "base" are not those/,
    ],
    [
      'metadata that are no text',
      (plan) =>
        withHeader(fileOf(soundTensors(plan), metadataOf(plan)), (header) =>
          header.replace('"format":"pt"', `"format":["${PATIENT}"]`),
        ),
      /more than names, shapes and formats/,
    ],
    [
      'words beside a tensor',
      (plan) =>
        withHeader(fileOf(soundTensors(plan), metadataOf(plan)), (header) =>
          header.replace('"dtype"', `"note":"${PATIENT}","dtype"`),
        ),
      /more than names, shapes and formats/,
    ],
    [
      'a header full of blanks',
      (plan) => withHeader(fileOf(soundTensors(plan), metadataOf(plan)), (header) => header + ' '.repeat(100_000)),
      /header far longer/,
    ],
    ['a file that is none of ours', () => Buffer.from(`${PATIENT} ${'x'.repeat(100)}`), /header far longer|malformed/],
    [
      'bytes behind the last tensor',
      (plan) => Buffer.concat([fileOf(soundTensors(plan), metadataOf(plan)), Buffer.from(PATIENT)]),
      /malformed/,
    ],
    ['another round’s update', (plan) => fileOf(soundTensors(plan), { ...metadataOf(plan), round: '2' }), /"round"/],
    [
      'another weight than is reported',
      (plan) => fileOf(soundTensors(plan), { ...metadataOf(plan), patches: '2000' }),
      /"patches"/,
    ],
  ])('is refused with %s: nothing is sent, and the log says why', async (_what, make, words) => {
    const gate = await open();
    await site.hasTrained(make(site.plan));
    await expect(send(gate)).rejects.toMatchObject({ code: 'EGRESS_REFUSED', retryable: false });
    expect(fake.sent).toEqual([]);
    expect(site.said.join('\n')).toMatch(words);
    expect(await entries()).toMatchObject([{ kind: 'egress-refused', subject: { campaign: 'tiny', round: 1 } }]);
    const written = [...site.said, await readFile(site.folder.auditFile, 'utf8')].join('\n');
    expect(written).not.toMatch(/mueller/i);
    expect(await readdir(site.folder.egressFolder).catch(() => [])).toEqual([]);
  });

  it('is refused when the file is not the one that training ended with', async () => {
    const gate = await open();
    const [first, ...others] = soundTensors(site.plan) as [EncodedTensor, ...EncodedTensor[]];
    const other = { ...first, bytes: encodeElements(new Float32Array(elementCount(first.shape)).fill(7), 'F32') };
    const claimed = digestOfBytes(fileOf([first, ...others], metadataOf(site.plan)));
    await site.hasTrained(fileOf([other, ...others], metadataOf(site.plan)), claimed);
    await expect(send(gate)).rejects.toMatchObject({ code: 'EGRESS_REFUSED', message: /not those that training ended with/ });
    expect(fake.sent).toEqual([]);
  });

  it('stops between two pieces when its file is changed after it was examined', async () => {
    const gate = await open();
    await site.hasTrained(fileOf(soundTensors(site.plan), metadataOf(site.plan)));
    fake.between = () => appendFile(site.updatePath, PATIENT);
    await expect(send(gate)).rejects.toMatchObject({ code: 'EGRESS_REFUSED', message: /changed after it had been examined/ });
  });

  it('says that the file is gone as before, so that the round is trained again', async () => {
    const gate = await open();
    await site.hasTrained(fileOf(soundTensors(site.plan), metadataOf(site.plan)));
    await rm(site.updatePath);
    await expect(send(gate)).rejects.toMatchObject({ code: 'STORAGE_FAILED', retryable: false });
  });

  it('is held to the policy of this very moment, and is noted once however often it is sent', async () => {
    const gate = await open();
    await site.hasTrained(fileOf(soundTensors(site.plan), metadataOf(site.plan)));
    await send(gate);
    await send(gate);
    expect((await entries()).map(({ kind }) => kind)).toEqual(['egress']);
    await writeFile(site.folder.policyFile, 'campaigns: {deny: [tiny]}\n');
    await expect(send(gate)).rejects.toMatchObject({ code: 'POLICY_REFUSED', retryable: false });
    await writeFile(site.folder.policyFile, 'campaigns: [');
    await expect(send(gate)).rejects.toMatchObject({ code: 'POLICY_REFUSED', retryable: true });
    await writeFile(site.folder.policyFile, 'metrics: [loss]\n');
    await send(gate);
    const file = join(site.folder.egressFolder, 'part_1.json');
    const { metrics } = egressManifestSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    expect(Object.keys(metrics)).toEqual(['steps', 'patches', 'meanLoss', 'lastLoss']);
    expect(fake.sent).toHaveLength(3);
  });
});
