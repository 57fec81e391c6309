/**
 * The learning rate over the steps, as a factor, with the numbers of PyTorch's LinearLR (warm-up), StepLR, PolynomialLR (the
 * nnU-Net's, Isensee et al., Nature Methods 2021) and CosineAnnealingLR (Loshchilov and Hutter, ICLR 2017), one after the
 * other as in SequentialLR. In closed form: a resumed training needs nothing but its step.
 */
import type { SchedulePlan } from '@consilium/shared/wire';

/**
 * What to multiply the learning rate by. Steps are counted from 0; `totalSteps` includes the warm-up. After the last step the
 * factor stays what it has come to.
 */
export function rateFactorAt(schedule: SchedulePlan | undefined, step: number, totalSteps: number): number {
  if (schedule === undefined) return 1;
  const { warmUp } = schedule;
  if (warmUp === undefined) return mainFactor(schedule, step, totalSteps);
  if (step < warmUp.steps) return warmUp.startFactor + (1 - warmUp.startFactor) * (step / warmUp.steps);
  return mainFactor(schedule, step - warmUp.steps, totalSteps - warmUp.steps);
}

function mainFactor(schedule: SchedulePlan, step: number, totalSteps: number): number {
  const done = Math.min(1, step / Math.max(1, totalSteps));
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'step':
      return schedule.factor ** Math.floor(step / schedule.everySteps);
    case 'polynomial':
      return (1 - done) ** schedule.power;
    case 'cosine':
      return schedule.floorFactor + ((1 - schedule.floorFactor) * (1 + Math.cos(Math.PI * done))) / 2;
  }
}
