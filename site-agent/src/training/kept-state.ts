/**
 * What a site keeps of a campaign from round to round, in one file that becomes the present one only when the coordinator has
 * acknowledged the update made with it (see agent/campaign-state): the error that number formats made, the site's control
 * variate, parameters that never leave it.
 */
import { existsSync } from 'node:fs';
import { type Digest, FederationError } from '@consilium/shared/kernel';
import { controlManifest, CONTROL_PREFIX, scopedManifest } from '@consilium/shared/models';
import {
  federatedPart,
  inManifestOrder,
  type Manifest,
  readSafetensors,
  siteLocalPart,
  type WeightSet,
  writeSafetensors,
} from '@consilium/shared/weights';
import { frozenAdversary, type RoundPlan } from '@consilium/shared/wire';
import { digestOfTensors, prefixed, withPrefix } from './tensor-groups.js';

/** Each part by the parameters' names; a part that is missing is zero, or as the base has it. */
export interface KeptState {
  /** What is still to be delivered: error feedback. */
  readonly residual?: WeightSet | undefined;
  /** SCAFFOLD's cᵢ. */
  readonly control?: WeightSet | undefined;
  readonly siteLocal?: WeightSet | undefined;
}

const FORMAT = 'consilium-campaign-state-1';
type Part = keyof KeptState;
const PREFIXES: Readonly<Record<Part, string>> = { residual: 'residual/', control: CONTROL_PREFIX, siteLocal: 'site-local/' };
const PARTS = Object.keys(PREFIXES) as Part[];

type KeepingPlan = Pick<RoundPlan, 'model' | 'objective' | 'siteLocal' | 'updates' | 'localRule'>;

/** The parts that a plan makes a site keep, with the tensors that each must hold. */
export function keptParts({ model, objective, siteLocal, updates, localRule }: KeepingPlan): Partial<Record<Part, Manifest>> {
  // The gradients of a frozen adversary are not rounded, and leave nothing.
  const manifest = scopedManifest(model, siteLocal, frozenAdversary(objective) === undefined ? 'all' : 'representation');
  // 32-bit floats lose nothing.
  const feedsBack = updates !== undefined && updates.errorFeedback && updates.format !== 'f32';
  return {
    ...(feedsBack ? { residual: federatedPart(manifest) } : {}),
    ...(localRule?.kind === 'control-variates' ? { control: unprefixed(controlManifest(model, siteLocal)) } : {}),
    ...(siteLocal === undefined ? {} : { siteLocal: siteLocalPart(manifest) }),
  };
}

/**
 * What the file holds of the wanted parts, and what names it; nothing when there is no file. A file that is damaged or another
 * model's is warned about and taken for none: the campaign goes on without it.
 */
export async function readKeptState(
  path: string,
  wanted: Partial<Record<Part, Manifest>>,
  warn: (text: string) => void,
): Promise<{ state: KeptState; digest?: Digest }> {
  if (Object.keys(wanted).length === 0 || !existsSync(path)) return { state: {} };
  try {
    const { weights, digest } = await readWhole(path);
    return { state: partsOf(weights, wanted), digest };
  } catch (error) {
    const { message } = FederationError.from(error, 'STORAGE_FAILED');
    warn(`what this site kept of the campaign cannot be used, it starts afresh: ${message}`);
    return { state: {} };
  }
}

/** What names the file's content; undefined when there is no sound one. */
export async function digestOfKept(path: string): Promise<Digest | undefined> {
  return readWhole(path).then(
    ({ digest }) => digest,
    () => undefined,
  );
}

async function readWhole(path: string): Promise<{ weights: WeightSet; digest: Digest }> {
  const { weights, metadata } = await readSafetensors(path);
  const digest = digestOfTensors(weights);
  if (metadata['format'] === FORMAT && metadata['content'] === digest) return { weights, digest };
  throw new FederationError('WEIGHTS_MALFORMED', 'the file holds altered values, or is of another format');
}

/** Writes the file whole; returns what names its content. */
export async function writeKeptState(path: string, state: KeptState): Promise<Digest> {
  const tensors = PARTS.flatMap((part) => prefixed(PREFIXES[part], state[part] ?? []));
  const content = digestOfTensors(tensors);
  await writeSafetensors(path, tensors, { metadata: { format: FORMAT, content } });
  return content;
}

function partsOf(weights: WeightSet, wanted: Partial<Record<Part, Manifest>>): KeptState {
  const entries = PARTS.flatMap((part): [Part, WeightSet][] => {
    const found = withPrefix(PREFIXES[part], weights);
    const manifest = wanted[part];
    return manifest === undefined || found.length === 0 ? [] : [[part, inManifestOrder(found, manifest, `the kept ${part}`)]];
  });
  return Object.fromEntries(entries);
}

function unprefixed({ tensors }: Manifest): Manifest {
  return { tensors: tensors.map((tensor) => ({ ...tensor, name: tensor.name.slice(CONTROL_PREFIX.length) })) };
}
