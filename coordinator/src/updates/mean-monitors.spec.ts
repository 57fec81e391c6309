import { makeUpdateReport } from '../../../test/fixtures/make-assignment.js';
import type { Monitors, UpdateReport } from '@consilium/shared/wire';
import { meanMonitors } from './mean-monitors.js';

type Restoration = Monitors['restoration'][number];

const restoration = (modality: 'CT' | 'MR', patches: number, restorationError: number, constantError: number): Restoration => ({
  ...{ modality, patches, restorationError, constantError, skill: 1 - restorationError / constantError },
});

const reportOf = (monitors: Monitors): UpdateReport => ({
  ...makeUpdateReport(),
  patches: 1000, // what a site trained on is no weight here
  monitors: { base: monitors, trained: { ...monitors, featureRank: monitors.featureRank + 1 } },
});

describe('the monitors of a round', () => {
  const small = reportOf({
    patches: 4,
    restoration: [restoration('CT', 4, 0.02, 0.04)],
    scaleAccuracy: 0.25,
    modalityAccuracy: 1,
    featureRank: 2,
  });
  const large = reportOf({
    patches: 12,
    restoration: [restoration('CT', 6, 0.04, 0.1), restoration('MR', 6, 0.3, 0.2)],
    scaleAccuracy: 0.75,
    modalityAccuracy: 0.5,
    featureRank: 4,
  });

  it('are means weighted by the patches that each figure was measured on', () => {
    const { base, trained } = meanMonitors([small, large]) ?? {};
    expect(base).toMatchObject({ patches: 16, scaleAccuracy: 0.625, modalityAccuracy: 0.625, featureRank: 3.5 });
    expect(base?.restoration.map(({ modality, patches }) => [modality, patches])).toEqual([
      ['CT', 10],
      ['MR', 6],
    ]);
    // CT: (4 · 0.02 + 6 · 0.04) / 10 beside (4 · 0.04 + 6 · 0.1) / 10. MR: one site's own, worse than its constant.
    expect(base?.restoration[0]?.restorationError).toBeCloseTo(0.032, 12);
    expect(base?.restoration[0]?.constantError).toBeCloseTo(0.076, 12);
    expect(base?.restoration[0]?.skill).toBeCloseTo(1 - 0.32 / 0.76, 12);
    expect(base?.restoration[1]?.skill).toBeCloseTo(-0.5, 12);
    expect(trained?.featureRank).toBe(4.5);
  });

  it('are over the sites that report any, and there are none where no site does', () => {
    expect(meanMonitors([makeUpdateReport(), null, large])?.base).toMatchObject({ patches: 12, scaleAccuracy: 0.75 });
    expect(meanMonitors([makeUpdateReport(), null])).toBeUndefined();
  });

  it('leave out a head that no site’s model has', () => {
    const bare: Monitors = { patches: 4, restoration: [], featureRank: 2 };
    const mean = meanMonitors([reportOf(bare)]);
    expect([mean?.base.scaleAccuracy, mean?.base.modalityAccuracy]).toEqual([undefined, undefined]);
  });
});
