/** Where the seconds of a round went, as the coordinator's events tell it. */
import { median, round } from '../statistics.mjs';

/** What begins and ends each phase, in the order of a round. Participations are taken at their last site, as rounds wait for it. */
const PHASES = [
  ['invite', 'planned', 'accepted'],
  ['trainAndDeliver', 'accepted', 'delivered'],
  ['close', 'delivered', 'aggregating'],
  ['fold', 'aggregating', 'finished'],
];

/** Hears events and gives the median seconds of each phase; null for one that was not seen in any round. */
export class RoundPhases {
  times = new Map();

  hear(event) {
    if (event.kind !== 'round' && event.kind !== 'participation') return;
    if (!this.times.has(event.roundNumber)) this.times.set(event.roundNumber, new Map());
    this.times.get(event.roundNumber).set(event.state, event.atMs);
  }

  medians() {
    const entries = PHASES.map(([name, from, to]) => {
      const seconds = [...this.times.values()]
        .filter((times) => times.has(from) && times.has(to))
        .map((times) => (times.get(to) - times.get(from)) / 1000);
      return [name, seconds.length === 0 ? null : round(median(seconds))];
    });
    return Object.fromEntries(entries);
  }
}
