import type { Checker } from './checker.js';

export const noBugShown: Checker = {
  promise: 'no command of an operator and no agent ends in an error of ours',
  watch: (world) => () => (world.problems.length === 0 ? undefined : String(world.problems[0])),
};
