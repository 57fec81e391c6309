import { FederationError } from '@consilium/shared/kernel';
import { executeCheck } from '../finetuning/cases/check-cases.js';
import { executeClassify } from '../finetuning/answers/classify-order.js';
import { executeFinetune } from '../finetuning/finetune-order.js';
import { executeSegment } from '../finetuning/answers/segment-order.js';
import { executeLabelledPretrain } from '../labelled-pretraining/pretrain-labelled-order.js';
import { executeRecipe } from '../pretraining/recipe-order.js';
import { executePretrain } from '../training/pretrain-round.js';
import { executeProfile } from '../training/profile-order.js';
import { executeScore } from '../training/score-order.js';
import type { OrderContext } from './order-context.js';
import type { TrainerOrder, TrainerResult } from './trainer-messages.js';

type OrderOf<Kind extends TrainerOrder['kind']> = Extract<TrainerOrder, { kind: Kind }>;
type Execute<Kind extends TrainerOrder['kind']> = (
  order: OrderOf<Kind>,
  context: OrderContext,
) => Promise<Extract<TrainerResult, { kind: Kind }>>;

/** What a trainer process can be asked to do. A new kind is one order type, one result type and one line here. */
const ORDERS: { readonly [Kind in TrainerOrder['kind']]: Execute<Kind> } = {
  pretrain: executePretrain,
  recipe: executeRecipe,
  score: executeScore,
  finetune: executeFinetune,
  check: executeCheck,
  'pretrain-labelled': executeLabelledPretrain,
  segment: executeSegment,
  classify: executeClassify,
  profile: executeProfile,
};

/** Does one order; MESSAGE_REFUSED when this program does not know its kind. */
export async function executeOrder<Kind extends TrainerOrder['kind']>(
  order: OrderOf<Kind> & { kind: Kind },
  context: OrderContext,
): Promise<TrainerResult> {
  const kind: Kind = order.kind;
  if (!Object.hasOwn(ORDERS, kind)) {
    throw new FederationError('MESSAGE_REFUSED', 'the trainer does not know this kind of order', {
      remedy: 'Build the project again.',
    });
  }
  return ORDERS[kind](order, context);
}
