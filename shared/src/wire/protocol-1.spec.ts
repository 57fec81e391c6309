import { digestOfBytes, required } from '@consilium/shared/kernel';
import { modelSpecSchema } from '@consilium/shared/models';
import { makeScoreAssignment, makeTrainAssignment, makeUpdateReport } from '../../../test/fixtures/make-assignment.js';
import { report1, roundPlan1, scorePlan1, training1 } from '../../../test/fixtures/sessions/protocol-1/messages.js';
import {
  localTrainingSchema,
  type ObjectivePlan,
  objectiveSchema,
  offerInProtocol1,
  protocolOfPlan,
  roundPlanSchema,
  scorePlanSchema,
  scoreReportInProtocol1,
  type RoundPlan,
  updateReportSchema,
} from './index.js';

const { plan } = makeTrainAssignment();
const score = makeScoreAssignment().plan;
const blake3 = digestOfBytes('weights', 'blake3');

/** Fields that today's messages have and protocol 1 has not. */
const added = (today: object, then: object): string[] => Object.keys(today).filter((name) => !(name in then));

const genesis = (transforms: object): ObjectivePlan => objectiveSchema.parse({ kind: 'models-genesis', transforms });

describe('protocol 1', () => {
  it.each<[string, Partial<RoundPlan>]>([
    ['a local rule', { localRule: { kind: 'proximal', mu: 0.1 } }],
    ['a number format', { updates: { format: 'f16', errorFeedback: true } }],
    ['privacy', { privacy: { form: 'local', clipNorm: 1, noiseMultiplier: 1, delta: 1e-5, figures: 'counts' } }],
    ['site-local parameters', { siteLocal: ['norms'] }],
    ['a budget in minutes', { training: { ...plan.training, minutes: 5 } }],
    ['a version defined by a delta', { baseDelta: { parent: plan.base.digest, digest: plan.base.digest, bytes: 1 } }],
    ['the size of the cohort', { cohortSites: 3 }],
    ['a curriculum', { objective: { ...plan.objective, curriculum: [{ until: 0.5, nonlinearProbability: 0 }] } }],
    ['another share of inverted maps', { objective: genesis({ invertedShare: 0.1 }) }],
    ['maps by modality', { objective: genesis({ byModality: { CT: { nonlinearProbability: 0 } } }) }],
    [
      'a ResNet that restores',
      { model: modelSpecSchema.parse({ architecture: 'medicalnet-resnet', head: 'raised-segmentation' }) },
    ],
    ['weights named by BLAKE3', { base: { ...plan.base, digest: blake3 } }],
  ])('cannot carry %s', (_name, changes) => {
    expect(protocolOfPlan(roundPlanSchema.parse({ ...plan, ...changes }))).toBe(2);
    expect(roundPlan1.safeParse({ ...plan, ...changes }).success).toBe(false);
  });

  it('carries everything else', () => {
    expect(protocolOfPlan(plan)).toBe(1);
    expect(roundPlan1.safeParse(plan).success).toBe(true);
    expect(protocolOfPlan(score)).toBe(1);
    expect(scorePlan1.safeParse(score).success).toBe(true);
    const younger = { ...score, version: { ...score.version, digest: blake3 } };
    expect([protocolOfPlan(younger), scorePlan1.safeParse(younger).success]).toEqual([2, false]);
    for (const more of [{ siteLocal: ['norms'] }, { baseDelta: { parent: blake3, digest: blake3, bytes: 1 } }]) {
      expect([protocolOfPlan({ ...score, ...more }), scorePlan1.safeParse({ ...score, ...more }).success]).toEqual([2, false]);
    }
  });

  // A field added to a plan belongs into protocolOfPlan, one added to a report must be left out by offerInProtocol1.
  it('lacks these fields, and no others', () => {
    expect(added(roundPlanSchema.shape, roundPlan1.shape)).toEqual([
      'localRule',
      'updates',
      'siteLocal',
      'privacy',
      'baseDelta',
      'cohortSites',
    ]);
    expect(added(localTrainingSchema.shape, training1.shape)).toEqual(['minutes']);
    expect(added(scorePlanSchema.shape, scorePlan1.shape)).toEqual(['siteLocal', 'baseDelta']);
  });

  it('is sent the report that it knows, whatever else there is', () => {
    const report = { ...makeUpdateReport(), waitedMs: 3 };
    const offer = { participationId: 'p', uploadId: 'u', digest: blake3, baseDigest: blake3, report };
    const younger = { ...offer, anything: 1, auditHead: { seq: 3, digest: blake3 }, report: { ...report, anything: 1 } };
    expect(offerInProtocol1(younger)).toEqual(offer);
    expect(report1.safeParse(offerInProtocol1(offer).report).success).toBe(true);
    const score = required(report.baseScore, 'the score of the base');
    const explained = { ...score, groups: [{ modality: 'CT' as const, share: 1, ...score }] };
    expect(offerInProtocol1({ ...offer, report: { ...report, baseScore: explained } })).toEqual(offer);
    const told = { campaignId: 'c', versionDigest: blake3, score };
    const monitors = { patches: 1, restoration: [], featureRank: 1 };
    expect(scoreReportInProtocol1({ ...told, score: explained, monitors })).toEqual(told);
    expect(Object.keys(report1.shape).every((name) => name in updateReportSchema.shape)).toBe(true);
  });
});
