import { invariant } from '@consilium/shared/kernel';
import { CONVOLUTION_RULES } from './rules/convolution-rules.js';
import { ELEMENTWISE_RULES } from './rules/elementwise-rules.js';
import { LAYOUT_RULES } from './rules/layout-rules.js';
import { MATRIX_RULES } from './rules/matrix-rules.js';
import { NORM_RULES } from './rules/norm-rules.js';
import { POOLING_RULES } from './rules/pooling-rules.js';
import { RANDOM_RULES } from './rules/random-rules.js';
import { REDUCTION_RULES } from './rules/reduction-rules.js';
import { RESIZE_RULES } from './rules/resize-rules.js';
import { VARIABLE_RULES } from './rules/variable-rules.js';
import type { ShapeRule } from './shape-rule.js';

const RULES: ReadonlyMap<string, ShapeRule> = new Map(
  Object.entries({
    ...CONVOLUTION_RULES,
    ...ELEMENTWISE_RULES,
    ...LAYOUT_RULES,
    ...MATRIX_RULES,
    ...NORM_RULES,
    ...POOLING_RULES,
    ...RANDOM_RULES,
    ...REDUCTION_RULES,
    ...RESIZE_RULES,
    ...VARIABLE_RULES,
  }),
);

/** The rule of an operation; INVARIANT when the engine calls one that has none yet. */
export function shapeRuleFor(operation: string): ShapeRule {
  const rule = RULES.get(operation);
  invariant(rule !== undefined, `the operation ${operation} has a rule in engine/shapes/rules`);
  return rule;
}

/** Every operation that has a rule. */
export function ruledOperations(): readonly string[] {
  return [...RULES.keys()];
}
