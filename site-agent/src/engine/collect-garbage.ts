import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Frees what JavaScript no longer refers to, now instead of some time: weights on their way into TensorFlow are as large as the
 * model, and nothing in a step would make the collector look for them. Takes some milliseconds; call it rarely.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
