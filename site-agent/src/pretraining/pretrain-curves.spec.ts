import type { PretrainValidation } from './pretrain-history.js';
import { curvesPicture, curvesTable } from './pretrain-curves.js';

const validation = (step: number, skill: number): PretrainValidation => ({
  step,
  epoch: step / 10,
  loss: 0.1 * (1 - skill),
  trainingLoss: step === 10 ? null : 0.09,
  learningRate: 0.001,
  lossSum: step,
  trainingMs: 1000 * step,
  score: {
    restorationError: 0.1 * (1 - skill),
    constantError: 0.1,
    skill,
    patches: 4,
    groups: [
      { modality: 'CT', share: 1, restorationError: 0.1, constantError: 0.1, skill: 0.25 },
      { modality: 'CT', treatment: 'untouched', share: 0.5, restorationError: 0.1, constantError: 0.1, skill: 0.75 },
      { treatment: 'untouched', share: 0.5, restorationError: 0.1, constantError: 0.1, skill: 0.5 },
    ],
  },
});

describe('the curves of a pretraining', () => {
  const validations = [validation(10, -4), validation(20, 0.5)];

  it('are a table with a row for each validation, empty where there is no figure', () => {
    const [head, first, second, ...rest] = curvesTable(validations).split('\n');
    expect(head).toBe(
      'step,epoch,training_loss,validation_loss,learning_rate,' +
        'skill_all,skill_CT,skill_MR,skill_untouched,skill_remapped,skill_in-painted,skill_out-painted',
    );
    expect([first, second, rest]).toEqual(['10,1,,0.5,0.001,-4,0.25,,0.5,,,', '20,2,0.09,0.05,0.001,0.5,0.25,,0.5,,,', ['']]);
  });

  it('are a picture whose lines stay within their charts', () => {
    const svg = curvesPicture({ recipe: 'demo', validations });
    const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points = '']) => points.split(' '));
    expect(lines).toHaveLength(5); // two losses; skill of all, CT and untouched
    const heights = lines.slice(2).flatMap((points) => points.map((point) => Number(point.split(',')[1])));
    expect(Math.max(...heights)).toBeLessThanOrEqual(420 - 52);
    expect(svg).toContain('skill, untouched');
    expect(svg).not.toContain('NaN');
  });

  it('are empty, not broken, without any validation', () => {
    expect(curvesTable([]).split('\n')).toHaveLength(2);
    expect(curvesPicture({ recipe: 'demo', validations: [] })).not.toContain('NaN');
  });

  describe('of a universal model', () => {
    const monitored = (step: number, modalityAccuracy: number | undefined): PretrainValidation => ({
      ...validation(step, 0.5),
      monitors: { patches: 4, restoration: [], scaleAccuracy: 0.25, modalityAccuracy, featureRank: step / 8 },
    });
    const course = [monitored(10, 1), monitored(20, 0.5)];

    it('have columns and charts of the monitors', () => {
      const [head, ...rows] = curvesTable(course).trimEnd().split('\n');
      expect(head).toMatch(/,skill_out-painted,scale_accuracy,modality_accuracy,feature_rank$/);
      expect(rows.map((row) => row.split(',').slice(-3))).toEqual([
        ['0.25', '1', '1.25'],
        ['0.25', '0.5', '2.5'],
      ]);
      const svg = curvesPicture({ recipe: 'demo', validations: course });
      for (const words of ['scale accuracy', 'modality accuracy', 'feature rank']) expect(svg).toContain(words);
      expect(svg).toContain('weighted sum over all heads'); // not on the axis of the restoration, which is a hundred times smaller
      expect(svg).toContain('viewBox="0 0 720 2100"'); // five charts
    });

    it('have no line of a head that it lacks', () => {
      const svg = curvesPicture({ recipe: 'demo', validations: [monitored(10, undefined)] });
      expect(svg).toContain('scale accuracy');
      expect(svg).not.toContain('modality accuracy');
    });

    it('are the only ones with any of this', () => {
      const svg = curvesPicture({ recipe: 'demo', validations });
      expect(svg).toContain('viewBox="0 0 720 840"');
      expect(curvesTable(validations) + svg).not.toMatch(/accuracy|rank/);
    });
  });
});
