import { FederationError } from '@consilium/shared/kernel';
import { pullSeries, type PullContext, type SeriesOutcome } from './pull-series.js';
import type { ArchivedSeries } from './series-filter.js';

export interface PullOptions extends PullContext {
  /** At most so many series that are not here yet. */
  readonly most?: number | undefined;
  readonly onSeries?: (done: number, total: number) => void;
}

export interface PullFailure {
  /** The beginning of the series' salted hash, which is the name of its folder. */
  readonly series: string;
  readonly error: FederationError;
}

export interface PullSummary {
  readonly pulled: number;
  readonly alreadyHere: number;
  readonly optedOut: number;
  /** Not looked at, because enough had come. */
  readonly left: number;
  /** That came now. */
  readonly instances: number;
  readonly bytes: number;
  /** Instances that the archive sends damaged. */
  readonly damaged: number;
  readonly failures: readonly PullFailure[];
}

type Sum = { -readonly [name in keyof Omit<PullSummary, 'left' | 'failures'>]: number };

/** Series at a time: an archive has other things to do. */
const AT_ONCE = 2;
const SHOWN_DIGITS = 8;

/**
 * Pulls series, two at a time. One that fails does not stop the others. An archive that answers no more, that takes the
 * credentials no longer, or a disk that cannot be written ends it: what has come stays, and repeating it goes on there.
 */
export async function pullArchive(series: readonly ArchivedSeries[], options: PullOptions): Promise<PullSummary> {
  const { hashes, onSeries, most = Infinity } = options;
  const sum: Sum = { pulled: 0, alreadyHere: 0, optedOut: 0, instances: 0, bytes: 0, damaged: 0 };
  const failures: PullFailure[] = [];
  const context: PullContext = {
    ...options,
    onBytes: (bytes) => {
      sum.bytes += bytes;
      options.onBytes?.(bytes);
    },
  };
  let next = 0;
  let begun = 0;
  let done = 0;
  let ended: FederationError | undefined;

  const pullNext = async (): Promise<void> => {
    while (next < series.length && begun < most && ended === undefined) {
      const found = series[next++] as ArchivedSeries;
      begun++;
      try {
        const outcome = await pullSeries(found, context);
        add(sum, outcome);
        if (outcome.is !== 'pulled') begun--;
      } catch (thrown) {
        begun--;
        const error = FederationError.from(thrown);
        if (endsAll(error)) ended = error;
        else failures.push({ series: hashes.series(found.series).slice(0, SHOWN_DIGITS), error });
      }
      done++;
      onSeries?.(done, series.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, pullNext));
  if (ended !== undefined) throw ended;
  return { ...sum, left: series.length - done, failures };
}

function add(sum: Sum, { is, instances, damaged }: SeriesOutcome): void {
  if (is === 'pulled') sum.pulled++;
  if (is === 'already-here') sum.alreadyHere++;
  if (is === 'opted-out') sum.optedOut++;
  sum.instances += instances;
  sum.damaged += damaged;
}

/** What would meet every other series as well. */
function endsAll(error: FederationError): boolean {
  if (error.kind === 'storage' || error.kind === 'invariant' || error.code === 'ARCHIVE_UNREACHABLE') return true;
  return error.code === 'ARCHIVE_REFUSED' && error.details['status'] === 401;
}
