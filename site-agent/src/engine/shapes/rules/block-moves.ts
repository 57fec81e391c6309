/** Blocks of voxels moved into the examples and back. */
import { elementsOf, type OperationCall, type Outcome } from '../operation-call.js';
import { made } from '../shape-rule.js';

export function spaceToBatch(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  const [block, paddings] = [call.constantOf(1), call.constantOf(2)];
  const sides = block.map((length, i) => {
    const side = (shape[i + 1] as number) + (paddings[2 * i] as number) + (paddings[2 * i + 1] as number);
    call.require(side % length === 0, `the padded side ${side} is no multiple of ${length}`);
    return side / length;
  });
  const examples = (shape[0] as number) * elementsOf(block);
  return [made([examples, ...sides, ...shape.slice(1 + block.length)], dataType)];
}

export function batchToSpace(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  const [block, crops] = [call.constantOf(1), call.constantOf(2)];
  const sides = block.map(
    (length, i) => (shape[i + 1] as number) * length - (crops[2 * i] as number) - (crops[2 * i + 1] as number),
  );
  const examples = (shape[0] as number) / elementsOf(block);
  call.require(Number.isInteger(examples), 'the examples do not make up whole blocks');
  return [made([examples, ...sides, ...shape.slice(1 + block.length)], dataType)];
}
