import TestSequencer from '@jest/test-sequencer';

/** Minutes each. Begun late, one of them would keep one core busy while the others have nothing left to do. */
const LONG = ['odd-worlds', 'even-worlds', 'end-to-end/universal', 'memory-plan', 'end-to-end/pretrain-labelled'];

/** Specs that are known to be long come first, in this order; all others as jest has them. */
export default class LongestFirst extends TestSequencer {
  /** @override */
  sort(tests) {
    const rank = ({ path }) => {
      const place = LONG.findIndex((name) => path.includes(name));
      return place === -1 ? LONG.length : place;
    };
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
