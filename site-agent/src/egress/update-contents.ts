/** What the file of an update may hold, by the plan of its round alone: nothing else leaves a site. */
import { digestOfJson } from '@consilium/shared/kernel';
import { controlManifest, isOfPart, scopedManifest } from '@consilium/shared/models';
import {
  encodeHeader,
  federatedPart,
  int8Channels,
  SCALE_SUFFIX,
  type TensorDtype,
  type TensorEntry,
} from '@consilium/shared/weights';
import { isTrainedAtSites, type NumberFormat, partOfRound, type RoundPlan } from '@consilium/shared/wire';

/** The part of a plan that decides what an update holds. */
export type UpdatePlanning = Pick<RoundPlan, 'model' | 'objective' | 'roundNumber'> &
  Partial<Pick<RoundPlan, 'siteLocal' | 'updates' | 'localRule'>>;

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
}

export interface UpdateContents {
  /** Every tensor of a whole update, in the number format that the plan asks for. */
  readonly tensors: readonly NamedTensor[];
  /** Names of those that may be left out, all of them or none. */
  readonly mayLack: ReadonlySet<string>;
}

const DTYPES: Readonly<Record<NumberFormat, TensorDtype>> = { f32: 'F32', f16: 'F16', bf16: 'BF16', int8: 'I8' };

/** The federated parameters of the round, with the control variates that its local rule adds, and no others. */
export function updateContents({ model, objective, roundNumber, siteLocal, updates, localRule }: UpdatePlanning): UpdateContents {
  const { tensors: federated } = federatedPart(scopedManifest(model, siteLocal, partOfRound(objective, roundNumber)));
  const controls = localRule?.kind === 'control-variates' ? controlManifest(model, siteLocal).tensors : [];
  const tensors = [...federated, ...controls].flatMap((entry) => encoded(entry, updates?.format ?? 'f32'));
  const isOptional = (name: string): boolean => isTrainedAtSites(objective) && isOfPart(name, 'adversary');
  return { tensors, mayLack: new Set(tensors.map(({ name }) => name).filter(isOptional)) };
}

function encoded({ name, shape }: TensorEntry, format: NumberFormat): NamedTensor[] {
  const dtype = DTYPES[format];
  if (dtype !== 'I8') return [{ name, shape, dtype }];
  return [
    { name, shape, dtype },
    { name: name + SCALE_SUFFIX, shape: [int8Channels(shape)], dtype: 'F32' },
  ];
}

/** What the metadata of an update's file must say; `patches` is a number that the report says too. */
export function updateMetadataOf(plan: RoundPlan, patches: number): Readonly<Record<string, string>> {
  return {
    format: 'pt',
    kind: 'update',
    base: plan.base.digest,
    plan: digestOfJson(plan),
    round: String(plan.roundNumber),
    patches: String(patches),
  };
}

/** The size of the file of a whole update, to a few bytes. */
export function updateBytes(plan: UpdatePlanning): number {
  const anyDigest = digestOfJson(null);
  const metadata = { format: 'pt', kind: 'update', base: anyDigest, plan: anyDigest, round: '1', patches: '1' };
  return encodeHeader(updateContents(plan).tensors, metadata).header.fileBytes;
}
