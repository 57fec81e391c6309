/** Where processor profiles (`node --cpu-prof`) say that the time went. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const WAITING = new Set(['(idle)', '(root)']);

/**
 * The functions with the most seconds of their own, over all threads that left a profile in the folder.
 * `(program)` is native code without a JavaScript function on top, `(garbage collector)` itself.
 */
export function summariseProfiles(folder, count = 15) {
  const seconds = new Map();
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const labels = new Map(nodes.map(({ id, callFrame }) => [id, labelOf(callFrame)]));
    samples.forEach((id, index) => {
      const label = labels.get(id);
      if (!WAITING.has(label)) seconds.set(label, (seconds.get(label) ?? 0) + timeDeltas[index] / 1e6);
    });
  }
  const all = [...seconds].sort(([, a], [, b]) => b - a);
  const total = all.reduce((sum, [, value]) => sum + value, 0);
  const top = all.slice(0, count).map(([label, value]) => `${value.toFixed(2)} s  ${label}`);
  return { busySeconds: Number(total.toFixed(2)), top };
}

function labelOf({ functionName, url, lineNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const parts = url.split('/');
  const inPackage = parts.lastIndexOf('node_modules');
  const from = inPackage >= 0 ? inPackage + 1 : Math.max(0, parts.length - 4);
  return `${name} ${parts.slice(from).join('/')}:${lineNumber + 1}`;
}
