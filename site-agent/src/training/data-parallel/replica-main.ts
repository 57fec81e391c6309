/**
 * The program of a further trainer: one order, then its share of each step that the leader names. It has no will of its own:
 * signals are the leader's to obey, and without the leader it ends.
 */
import { Socket } from 'node:net';
import process from 'node:process';
import { FederationError } from '@consilium/shared/kernel';
import { patchesPerStep } from '@consilium/shared/wire';
import { runtimeSearch } from '../../config/runtime-search.js';
import { siteFolder } from '../../config/site-folder.js';
import { deviceEnvironment } from '../../engine/devices/device-environment.js';
import { openRuntime } from '../../engine/open-runtime.js';
import { locateRuntime } from '../../engine/runtime/locate-runtime.js';
import { asTrainingError, failureMessage } from '../../trainer/failure-message.js';
import type { OrderContext } from '../../trainer/order-context.js';
import { requireDevice } from '../../trainer/trainer-runtime.js';
import { Learner } from '../learner.js';
import { openRoundFeed } from '../round-feed.js';
import { loadCollection, modalitiesOf } from '../site-collection.js';
import { followLeader } from './follow-leader.js';
import { FrameChannel } from './frame-channel.js';
import { FRAMES_DESCRIPTOR, type ReplicaOrder } from './replica-order.js';

process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
process.once('message', (order) => void work(order as ReplicaOrder));
if (!process.connected) process.exit(0); // the leader went while this program was loading

/** The leader has said all of this already. */
const SILENT: OrderContext = {
  stop: new AbortController().signal,
  report: () => undefined,
  announce: () => undefined,
  warn: () => undefined,
  nowMs: () => performance.now(),
};

async function work(order: ReplicaOrder): Promise<void> {
  const error = await follow(order).catch((thrown: unknown) => asTrainingError(thrown));
  process.send?.(failureMessage(error), undefined, undefined, () => process.exit(error.exitCode));
}

async function follow({ home, plan, collection, learner, share, device, tf32, threads }: ReplicaOrder): Promise<never> {
  const environment = deviceEnvironment(device, { tf32 });
  const runtime = openRuntime({ threads, located: locateRuntime(runtimeSearch()), settings: { environment } });
  requireDevice(runtime, device);
  const { volumes, digest } = await loadCollection(
    { site: siteFolder(home), patch: plan.patch, modalities: modalitiesOf(plan.objective) },
    SILENT,
  );
  if (digest !== collection) {
    throw new FederationError('STORAGE_FAILED', 'the trainers of this site read different volumes', {
      retryable: true,
      remedy: 'A scan changed or became unreadable in between; the same order starts again.',
    });
  }
  return followLeader({
    learner: Learner.create({ ...learner, runtime }),
    openSource: (firstStep) => openRoundFeed({ plan, volumes, threads, firstStep, share }),
    ofPatches: patchesPerStep(plan.training),
    leader: new FrameChannel(new Socket({ fd: FRAMES_DESCRIPTOR, readable: true, writable: true })),
  });
}
