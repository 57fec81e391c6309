import { join } from 'node:path';
import { toArguments, toEngineArguments } from './options.mjs';
import { engineTaker, withSides } from './turn-taker.mjs';

const OVERHEAD_STEPS = 7;
const GROWTH_STEPS = 1000;

/** JavaScript's share of a step, and what many steps leave behind: see measure-overhead.mjs and measure-growth.mjs. */
export function measureEngineAlone(options) {
  const program = join(import.meta.dirname, 'engine-step.mjs');
  const engine = engineTaker(['--expose-gc', program, ...toArguments(options), ...toEngineArguments(options)]);
  return withSides([engine], async () => {
    const overhead = await engine.ask(`overhead ${OVERHEAD_STEPS}`);
    return { overhead, growth: await engine.ask(`growth ${GROWTH_STEPS}`) };
  });
}
