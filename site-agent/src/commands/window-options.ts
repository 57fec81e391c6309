import type { Command } from 'commander';
import { parseWith } from '@consilium/shared/wire';
import { type WindowPlan, windowPlanSchema } from '../finetuning/answers/window-plan.js';

/** The options of commands that put whole volumes together from patches. */
export interface WindowOptions {
  readonly overlap?: string;
  readonly weighting?: string;
  readonly mirror?: string;
}

export function addWindowOptions(command: Command): Command {
  return command
    .option('--overlap <share>', 'share of a window that the next one covers too, 0 to below 1 (default: 0.5)')
    .option('--weighting <kind>', 'gaussian: the middle of a window counts most; or mean (default: gaussian)')
    .option('--mirror <axes>', 'also average over mirror images along these axes, such as xy; each doubles the time');
}

/** Throws ARGUMENT_INVALID naming the option. */
export function windowPlan({ overlap, weighting, mirror }: WindowOptions): WindowPlan {
  const plan = {
    ...(overlap !== undefined && { overlap: Number(overlap) }),
    ...(weighting !== undefined && { weighting }),
    ...(mirror !== undefined && { mirrorAxes: [...mirror] }),
  };
  return parseWith(windowPlanSchema, plan, 'ARGUMENT_INVALID', '--overlap, --weighting or --mirror');
}
