import { profileSteps } from '../engine/profile/step-profile.js';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { ProfileOrder, ProfileResult } from '../trainer/trainer-messages.js';
import { openTrainerDevice } from '../trainer/trainer-runtime.js';
import { choosePrecision } from './choose-precision.js';
import { recordTraining } from './profile-training.js';
import { letEventsIn, obeyStop } from './train.js';

/** Records real training steps in this process and sums them up; the precision is chosen and announced as for a round. */
export async function executeProfile(order: ProfileOrder, context: OrderContext): Promise<ProfileResult> {
  const { runtime, device } = openTrainerDevice(order.limits, context);
  const { precision, announcement } = choosePrecision(order.training.precision, device);
  if (announcement !== undefined) context.announce(announcement);
  const training = { ...order.training, precision };
  const records = await recordTraining(runtime, training, async (done, total) => {
    context.report('profiling', done, total);
    await letEventsIn();
    obeyStop(context.stop);
  });
  return {
    kind: 'profile',
    training,
    profile: profileSteps(records),
    peakResidentBytes: peakResidentBytes(),
    library: `TensorFlow ${runtime.binding.TF_Version}`,
    onGpu: runtime.binding.isUsingGpuDevice(),
    nativeKernels: runtime.native,
    ...(order.keepRecords ? { records } : {}),
  };
}
