import { profileSteps } from '../engine/profile/step-profile.js';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { ProfileOrder, ProfileResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { recordTraining } from './profile-training.js';
import { letEventsIn, obeyStop } from './train.js';

/** Records real training steps in this process and sums them up. */
export async function executeProfile(order: ProfileOrder, context: OrderContext): Promise<ProfileResult> {
  const runtime = openTrainerRuntime(order.limits, context);
  const records = await recordTraining(runtime, order.training, async (done, total) => {
    context.report('profiling', done, total);
    await letEventsIn();
    obeyStop(context.stop);
  });
  return {
    kind: 'profile',
    profile: profileSteps(records),
    peakResidentBytes: peakResidentBytes(),
    library: `TensorFlow ${runtime.binding.TF_Version}`,
    onGpu: runtime.binding.isUsingGpuDevice(),
    nativeKernels: runtime.native,
    ...(order.keepRecords ? { records } : {}),
  };
}
