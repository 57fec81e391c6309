/** Norms by the statistics of the rows themselves; in batch norm they move the running ones too. */
import type { Statistic } from '../statistic.js';
import type { Tensor } from '../tensor.js';
import { fusedNorm, fusedNormGradient, type FusedNormResult } from './fused-norm.js';
import { fastRowType, type NormKernel, type NormPass, type NormSettings } from './norm-kernel.js';

/** Exponential means of the batches' statistics, which stand in for them outside training (Ioffe and Szegedy, ICML 2015). */
export interface RunningStatistics {
  readonly mean: Statistic;
  /** Of the unbiased variances, as in PyTorch. */
  readonly variance: Statistic;
  /** Weight of each new batch; 0.1 by default. */
  readonly momentum?: number;
}

const MOMENTUM = 0.1;

export function byOwnStatistics(settings: NormSettings, running?: RunningStatistics): NormKernel {
  const { runtime, scale, offset, epsilon, rectify } = settings;
  const options = { epsilon, own: true, rectify };
  return {
    rowType: fastRowType,
    forward: (rows, gathers) => {
      const gathered = gathers ? running : undefined;
      const before = gathered === undefined ? [] : [gathered.mean.view(), gathered.variance.view()];
      const [factor, shift] = [scale.view(), offset.view()];
      const share = gathered === undefined ? 1 : (gathered.momentum ?? MOMENTUM);
      const given = gathered === undefined ? [runtime.nothing(), runtime.nothing()] : before;
      const result = fusedNorm(runtime, rows, [factor, shift, ...given], { ...options, share });
      for (const tensor of [factor, shift, ...before]) tensor.free();
      return gather(result, gathered);
    },
    backward: (rows, slope, kept) => {
      const factor = scale.view();
      const gradients = fusedNormGradient(runtime, rows, slope, { scale: factor, saved: kept }, options);
      for (const tensor of [rows, slope, factor, ...kept]) tensor.free();
      scale.addGradient(gradients.scale);
      offset.addGradient(gradients.offset);
      return gradients.rows;
    },
  };
}

function gather({ normalised, mean, variance, saved }: FusedNormResult, running: RunningStatistics | undefined): NormPass {
  hand(mean, running?.mean);
  hand(variance, running?.variance);
  return { normalised, kept: saved };
}

function hand(value: Tensor, to: Statistic | undefined): void {
  if (to === undefined) value.free();
  else to.set(value);
}
