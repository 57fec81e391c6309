import { readFile, writeFile } from 'node:fs/promises';
import { digestOfBytes, required } from '@consilium/shared/kernel';
import { auditEntrySchema, type Progress, type UpdateOffer } from '@consilium/shared/wire';
import { GatedSite } from '../../../test/fixtures/gated-site.js';
import { makeProbeScore, makeScoreAssignment, makeUpdateReport } from '../../../test/fixtures/make-assignment.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { GatedLink } from './gated-link.js';

const PATIENT = 'MUELLER^ANNA';
const GROUP = { share: 0.5, restorationError: 0.05, constantError: 0.1, skill: 0.5 };

let site: GatedSite;
let sent: [string, ...unknown[]][];
let gate: GatedLink;

beforeEach(async () => {
  site = await GatedSite.open();
  sent = [];
  // Remembers every call, and answers all of them.
  const through = new Proxy({} as CoordinatorLink, {
    get:
      (_, name: string) =>
      async (...words: unknown[]) => {
        sent.push([name, ...words]);
        return { outcome: 'accepted' };
      },
  });
  gate = new GatedLink(through, site.parts, async () => undefined);
  await site.hasTrained(Buffer.from('an update'));
});
afterEach(() => site.close());

function offer(changes: object = {}): UpdateOffer {
  const { update } = required(site.journal.participation('part_1'), 'the part');
  const baseDigest = site.plan.base.digest;
  const names = { participationId: 'part_1', uploadId: 'upload_1', digest: update?.digest ?? baseDigest, baseDigest };
  return { ...names, report: makeUpdateReport(), ...changes };
}

const progress = (changes: object = {}): Progress => ({
  ...{ participationId: 'part_1', phase: 'training', step: 1, steps: 2, loss: 0.5, share: 0.5 },
  ...changes,
});

async function entries(): Promise<{ kind: string; seq: number; digest: string; subject: Record<string, unknown> }[]> {
  const lines = (await readFile(site.folder.auditFile, 'utf8')).trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => auditEntrySchema.parse(JSON.parse(line)));
}

describe('a message on its way out', () => {
  it('leaves as it is when it says what such a message may', async () => {
    await gate.sync(1000);
    await gate.accept('part_1');
    await gate.progress(progress());
    await gate.offer(offer());
    await gate.fail('part_1', 'TRAINING_DIVERGED');
    await gate.decline('part_1', 'COLLECTION_EMPTY');
    expect(sent.map(([name]) => name)).toEqual(['sync', 'accept', 'progress', 'offer', 'fail', 'decline']);
    expect((await entries()).map(({ kind }) => kind)).toEqual(['accepted', 'update-offered', 'failed', 'declined']);
    expect(site.said).toEqual([]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['free text in the reason of a refusal', () => gate.decline('part_1', `no consent of ${PATIENT}`)],
    ['a DICOM field in a code', () => gate.fail('part_1', PATIENT)],
    ['what looks like a code and is none', () => gate.fail('part_1', 'MUELLER_ANNA')],
    ['a name for an identifier', () => gate.accept(`../${PATIENT}`)],
    ['a part in no known round', () => gate.accept('part_2')],
    [
      'an array that is too long',
      () =>
        gate.offer(
          offer({ report: { ...makeUpdateReport(), baseScore: { ...makeProbeScore(), groups: Array(65).fill(GROUP) } } }),
        ),
    ],
    ['a field that no report has', () => gate.offer(offer({ report: { ...makeUpdateReport(), [PATIENT]: 1 } }))],
    ['a list of numbers for one', () => gate.offer(offer({ report: { ...makeUpdateReport(), meanLoss: Array(1e5).fill(0.1) } }))],
    ['a number that is none', () => gate.offer(offer({ report: { ...makeUpdateReport(), meanLoss: Number.NaN } }))],
    ['text for the upload’s identifier', () => gate.offer(offer({ uploadId: `/data/${PATIENT}.nii` }))],
    ['other weights than were trained', () => gate.offer(offer({ digest: digestOfBytes('other') }))],
    ['words in a progress report', () => gate.progress(progress({ phase: PATIENT }))],
    ['an endless loss', () => gate.progress(progress({ loss: Number.POSITIVE_INFINITY }))],
    ['a rest that is none', () => gate.sync(Number.NaN)],
    [
      'a score that nobody has asked for',
      () => gate.reportScore({ campaignId: 'campaign_1', versionDigest: digestOfBytes('v'), score: makeProbeScore() }),
    ],
  ])('is refused with %s: nothing is sent, and the log says so', async (_what, say) => {
    await expect(say()).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
    expect(sent).toEqual([]);
    expect(site.said.join('\n')).toMatch(/nothing was sent/);
    expect((await entries()).map(({ kind }) => kind)).toEqual(['egress-refused']);
    const written = [...site.said, await readFile(site.folder.auditFile, 'utf8')].join('\n');
    expect(written).not.toMatch(/mueller/i);
  });

  it('keeps at the site the figures that the policy does not let out', async () => {
    await writeFile(site.folder.policyFile, 'metrics: [score]\n');
    const { plan } = makeScoreAssignment();
    site.journal.noteScore(plan, { score: makeProbeScore() });
    const report = { ...makeUpdateReport(), waitedMs: 1, deltaNorm: 2, encodingError: 0.1 };
    await gate.offer(offer({ report: { ...report, baseScore: { ...makeProbeScore(), groups: [GROUP] } } }));
    await gate.progress(progress({ figures: { scaleAccuracy: 0.5 } }));
    const score = { ...makeProbeScore(), groups: [GROUP] };
    const monitors = { patches: 1, restoration: [], featureRank: 1 };
    await gate.reportScore({ campaignId: plan.campaignId, versionDigest: plan.version.digest, score, monitors });
    const [told, moved, scored] = sent.map(([, message]) => message as Record<string, unknown>);
    expect(told).toMatchObject({ report: { steps: 10, patches: 20, baseScore: makeProbeScore() } });
    expect(told?.['report']).toEqual({ steps: 10, patches: 20, baseScore: makeProbeScore() });
    expect(Object.keys(moved ?? {})).toEqual(['participationId', 'phase', 'step', 'steps', 'share']);
    expect(scored).toEqual({ campaignId: plan.campaignId, versionDigest: plan.version.digest, score: makeProbeScore() });
  });

  it('of a policy that refuses by now is not sent, but for an offer that was sent before', async () => {
    const refuse = (): Promise<void> => writeFile(site.folder.policyFile, 'mostSteps: 1\n');
    await refuse();
    await expect(gate.accept('part_1')).rejects.toMatchObject({ code: 'POLICY_REFUSED' });
    await expect(gate.offer(offer())).rejects.toMatchObject({ code: 'POLICY_REFUSED' });
    await writeFile(site.folder.policyFile, '');
    await gate.offer(offer());
    await refuse();
    await gate.offer(offer());
    await gate.decline('part_1', 'POLICY_REFUSED');
    expect(sent.map(([name]) => name)).toEqual(['offer', 'offer', 'decline']);
    const [offered, declined] = await entries();
    expect(declined).toMatchObject({ kind: 'declined', subject: { code: 'POLICY_REFUSED', rules: ['mostSteps'] } });
    // Both offers name the same head, the entry that tells of them.
    const heads = sent.slice(0, 2).map(([, message]) => (message as UpdateOffer).auditHead);
    expect(heads).toEqual([0, 1].map(() => ({ seq: offered?.seq, digest: offered?.digest })));
  });

  it('leaves only after the log that tells of it is on disk', async () => {
    const order: string[] = [];
    const flush = site.audit.flush.bind(site.audit);
    site.audit.flush = () => {
      order.push('flush');
      flush();
    };
    const through = { accept: async () => void order.push('accept') } as unknown as CoordinatorLink;
    await new GatedLink(through, site.parts, async () => undefined).accept('part_1');
    expect(order).toEqual(['flush', 'accept']);
  });
});
