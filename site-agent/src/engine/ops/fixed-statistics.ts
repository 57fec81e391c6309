/** Norms by given statistics, a factor and a summand per channel: batch norm outside training, or with frozen statistics. */
import type { RunningStatistics } from './batch-statistics.js';
import { fusedNorm, fusedNormGradient } from './fused-norm.js';
import { fastRowType, type NormKernel, type NormSettings } from './norm-kernel.js';

export function byRunningStatistics(settings: NormSettings, { mean, variance }: RunningStatistics): NormKernel {
  const { runtime, scale, offset, epsilon, rectify } = settings;
  const options = { epsilon, own: false, rectify };
  return {
    rowType: fastRowType,
    forward: (rows) => {
      const inputs = [scale.view(), offset.view(), mean.view(), variance.view()];
      const result = fusedNorm(runtime, rows, inputs, options);
      for (const tensor of [...inputs, result.mean, result.variance, ...result.saved]) tensor.free();
      return { normalised: result.normalised, kept: [] };
    },
    backward: (rows, slope) => {
      const [factor, ...saved] = [scale.view(), mean.view(), variance.view(), runtime.nothing().keep()] as const;
      const gradients = fusedNormGradient(runtime, rows, slope, { scale: factor, saved }, options);
      for (const tensor of [rows, slope, factor, ...saved]) tensor.free();
      scale.addGradient(gradients.scale);
      offset.addGradient(gradients.offset);
      return gradients.rows;
    },
  };
}
