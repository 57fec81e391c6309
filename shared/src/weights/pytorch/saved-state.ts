import { malformedCheckpoint, shownName } from './checkpoint-fault.js';
import { type PickledDict, type PickledValue, TensorReference } from './pickled-values.js';

/** A network's tensors as a checkpoint names them, and what else lies beside them. */
export interface SavedState {
  /** In the order in which they were saved. */
  readonly tensors: ReadonlyMap<string, TensorReference>;
  /** Text members beside the tensors, such as our own description of the model. */
  readonly texts: ReadonlyMap<string, string>;
  /** Names of the other members, which are of no use to a network: epoch, optimizer and so on. */
  readonly others: readonly string[];
}

/** Members under which programs save the network's tensors, the most common first. */
const STATE_MEMBERS = ['state_dict', 'model_state_dict', 'network_weights', 'model'] as const;

/** The network's tensors in what was saved: the dict itself, or the member that holds them. WEIGHTS_MALFORMED without either. */
export function savedState(value: PickledValue): SavedState {
  if (!(value instanceof Map)) throw malformedCheckpoint('holds no dict of tensors');
  const own = tensorsIn(value);
  if (own.size > 0) return { tensors: own, texts: new Map(), others: namesBeside(value, [...own.keys()]) };
  for (const member of STATE_MEMBERS) {
    const state = value.get(member);
    const tensors = state instanceof Map ? tensorsIn(state) : new Map<string, TensorReference>();
    if (tensors.size === 0) continue;
    const texts = textsIn(value);
    return { tensors, texts, others: namesBeside(value, [member, ...texts.keys()]) };
  }
  throw malformedCheckpoint('holds no dict of tensors');
}

function tensorsIn(dict: PickledDict): Map<string, TensorReference> {
  const tensors = new Map<string, TensorReference>();
  for (const [name, value] of dict) {
    if (typeof name === 'string' && value instanceof TensorReference) tensors.set(name, value);
  }
  return tensors;
}

function textsIn(dict: PickledDict): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of dict) if (typeof name === 'string' && typeof value === 'string') texts.set(name, value);
  return texts;
}

function namesBeside(dict: PickledDict, known: readonly string[]): string[] {
  return [...dict.keys()]
    .map(String)
    .filter((name) => !known.includes(name))
    .map(shownName);
}
