/** Random numbers from a key, and tensors filled with one value. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import type { OperationCall, Outcome } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';

const KEYED = rule('Tshape uint64 uint64 int32', drawn);
const SEEDED = rule('T Tseed', drawn);

export const RANDOM_RULES: ShapeRules = {
  StatelessRandomUniformV2: KEYED,
  StatelessRandomNormalV2: KEYED,
  StatelessTruncatedNormalV2: KEYED,
  StatelessRandomUniform: SEEDED,
  StatelessRandomNormal: SEEDED,
  StatelessTruncatedNormal: SEEDED,
  StatelessRandomGetKeyCounter: rule('Tseed', () => [made([1], DATA_TYPE.uint64), made([2], DATA_TYPE.uint64)]),
  StatelessRandomGetAlg: rule('', () => [made([], DATA_TYPE.int32)]),
  Fill: rule('index_type T', (call) => [made(call.constantOf(0), call.input(1).dataType)]),
};

function drawn(call: OperationCall): Outcome[] {
  return [made(call.constantOf(0), call.namedType('dtype') ?? DATA_TYPE.float32)];
}
