/**
 * `site-agent index --headers-only` on 1,000 NIfTI files: the whole process, as a user waits for it, the first time and again
 * when nothing has changed. The reference reads the same headers with nibabel in a Python that has started already.
 */
import { IndexedFolder } from '../indexed-folder.mjs';
import { median } from '../statistics.mjs';

const FILES = 1000;
const TURNS = 3;

export const rows = [
  { name: 'index-1000', unit: 'ms', needs: ['nibabel'], target: 3000, measure: ({ python }) => measure(python, true) },
  { name: 'index-1000-again', unit: 'ms', needs: ['nibabel'], target: 300, measure: ({ python }) => measure(python, false) },
];

async function measure(python, anew) {
  const folder = new IndexedFolder(FILES);
  try {
    if (!anew) await folder.index('--headers-only');
    const ours = [];
    const reference = [];
    for (let turn = 0; turn < TURNS; turn++) {
      if (anew) folder.forget();
      ours.push((await folder.index('--headers-only')).ms);
      if (python !== undefined) reference.push(folder.readHeaders(python).ms);
    }
    return { ours: median(ours), reference: python === undefined ? undefined : median(reference), files: FILES };
  } finally {
    folder.remove();
  }
}
