/** Variables and the optimizers that change them in place. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { type OperationCall, type Outcome, sameShape } from '../operation-call.js';
import { rule, type ShapeRule, type ShapeRules } from '../shape-rule.js';
import { VariableCell } from '../variable-cell.js';

export const VARIABLE_RULES: ShapeRules = {
  VarHandleOp: rule('', create),
  ReadVariableOp: rule('resource', read),
  AssignVariableOp: rule('resource dtype', assign),
  AssignAddVariableOp: changeInPlace('dtype', 1),
  AssignSubVariableOp: changeInPlace('dtype', 1),
  ResourceApplyGradientDescent: changeInPlace('T T', 1, [2]),
  ResourceApplyMomentum: changeInPlace('resource T T T', 2, [3]),
  ResourceApplyKerasMomentum: changeInPlace('resource T T T', 2, [3]),
  ResourceApplyAdam: changeInPlace('resource resource T T T T T T T', 3, [9]),
};

function create(call: OperationCall): Outcome[] {
  const variable = new VariableCell(call.ledger, call.list('shape'), call.namedType('dtype') ?? call.refuse('names no type'));
  return [{ shape: [], dataType: DATA_TYPE.resource, variable }];
}

/** A view of the variable's own memory. */
function read(call: OperationCall): Outcome[] {
  const { shape, dataType, value } = call.variable(0);
  call.require(dataType === (call.namedType('dtype') ?? dataType), 'the variable has another element type');
  return [{ shape, dataType, shares: value }];
}

function assign(call: OperationCall): Outcome[] {
  const [variable, tensor] = [call.variable(0), call.input(1)];
  call.require(sameShape(variable.shape, tensor.shape), `the variable has the shape [${variable.shape.join()}]`);
  call.require(variable.dataType === tensor.dataType, 'the variable has another element type');
  variable.assign(tensor.buffer);
  return [];
}

/** The first `variables` inputs are changed; the inputs at `alike` (by default the last) have the variable's shape. */
function changeInPlace(inputs: string, variables: number, alike?: readonly number[]): ShapeRule {
  return rule(`resource ${inputs}`, (call) => {
    const { shape } = call.variable(0);
    for (const index of alike ?? [-1]) call.require(sameShape(call.shapeOf(index), shape), 'a gradient has its variable’s shape');
    for (let index = 0; index < variables; index++) {
      call.require(sameShape(call.variable(index).shape, shape), 'slots have the shape of their variable');
      call.variable(index).update();
    }
    return [];
  });
}
