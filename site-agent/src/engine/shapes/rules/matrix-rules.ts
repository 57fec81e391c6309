/** Matrix products and additions per channel. */
import { elementsOf, type OperationCall, type Outcome, sameShape } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';
import { broadcast } from './elementwise-rules.js';

export const MATRIX_RULES: ShapeRules = {
  MatMul: product('transpose_a', 'transpose_b'),
  BatchMatMul: product('adj_x', 'adj_y'),
  BatchMatMulV2: product('adj_x', 'adj_y'),
  BiasAdd: rule('T T', (call) => {
    call.require(sameShape(call.shapeOf(1), [call.side(0, -1)]), 'there must be one bias per channel');
    return [made(call.shapeOf(0), call.input(0).dataType)];
  }),
  BiasAddGrad: rule('T', (call) => [made([call.side(0, -1)], call.input(0).dataType)]),
};

function product(turnLeft: string, turnRight: string): ShapeRules[string] {
  const inner = (call: OperationCall): number => call.side(0, call.flag(turnLeft, false) ? -2 : -1);
  const infer = (call: OperationCall): Outcome[] => {
    const rows = call.side(0, call.flag(turnLeft, false) ? -1 : -2);
    const [depth, columns] = call.flag(turnRight, false)
      ? [call.side(1, -1), call.side(1, -2)]
      : [call.side(1, -2), call.side(1, -1)];
    call.require(inner(call) === depth, 'the inner sides must agree');
    const stack = broadcast(call, call.shapeOf(0).slice(0, -2), call.shapeOf(1).slice(0, -2));
    return [made([...stack, rows, columns], call.input(0).dataType)];
  };
  return rule('T T', infer, (call, [output]) => elementsOf(output?.shape ?? []) * inner(call));
}
