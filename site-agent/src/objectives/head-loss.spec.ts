import { headLoss } from './head-loss.js';

const LOGITS = Float32Array.of(0.5, -1, 2, 1, 1, -0.5);

describe.each(['labels', 'undecided'] as const)('the loss of a head against %s', (target) => {
  it('has the gradient that central differences find', () => {
    const { gradient } = headLoss(LOGITS, [0, 2], target);
    for (let i = 0; i < LOGITS.length; i++) {
      const at = (h: number) =>
        headLoss(
          LOGITS.map((value, j) => (j === i ? value + h : value)),
          [0, 2],
          target,
        ).loss;
      const h = 1 / 64; // exact in 32 bits
      expect(gradient[i]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 4);
    }
  });

  it('stays finite for very sure logits', () => {
    const { loss, gradient } = headLoss(Float32Array.of(1e4, -1e4, 0, 0), [1, 0], target);
    expect([loss, ...gradient].every(Number.isFinite)).toBe(true);
  });
});

describe('the loss of a head', () => {
  it('is −log p of the label, and log classes for an undecided head', () => {
    expect(headLoss(Float32Array.of(0, Math.log(3)), [1]).loss).toBeCloseTo(-Math.log(0.75), 6);
    const even = headLoss(Float32Array.of(2, 2, 2), [0], 'undecided');
    expect(even.loss).toBeCloseTo(Math.log(3), 6);
    expect([...even.gradient].every((value) => Math.abs(value) < 1e-7)).toBe(true);
  });

  it('counts the patches that are told right', () => {
    expect(headLoss(LOGITS, [2, 0]).hits).toBe(2);
    expect(headLoss(LOGITS, [0, 2]).hits).toBe(0);
  });

  it('refuses a label that is no class', () => {
    expect(() => headLoss(LOGITS, [0, 3])).toThrow('the label 3 is none of the 3 classes of a head');
  });
});
