import { newSigningKey } from '@consilium/shared/identity';
import { type Digest, digestOfBytes, FederationError } from '@consilium/shared/kernel';
import { isOfPart, type ModelPart } from '@consilium/shared/models';
import type { Type } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { BlobStore } from '../../../coordinator/src/blobs/blob-store.js';
import { ProofNonces } from '../../../coordinator/src/access/proof-nonces.js';
import { CampaignCommands } from '../../../coordinator/src/campaigns/campaign-commands.js';
import type { CoordinatorConfig } from '../../../coordinator/src/config/coordinator-config.js';
import { compileLogSettings } from '../../../coordinator/src/config/log-settings.js';
import { compileRetentionSettings } from '../../../coordinator/src/config/retention-settings.js';
import { homeFolder } from '../../../coordinator/src/home/home-folder.js';
import { SiteGateway } from '../../../coordinator/src/live/site.gateway.js';
import { Log } from '../../../coordinator/src/log.js';
import { BLOB_STORE, CLOCK, CONFIG, COORDINATOR_KEY, HOME, SPANS } from '../../../coordinator/src/ports.js';
import { UnitOfWork } from '../../../coordinator/src/records/unit-of-work.js';
import { Retention } from '../../../coordinator/src/retention/retention.js';
import type { FoldJob, FoldOutcome } from '../../../coordinator/src/aggregation/fold-files.js';
import { FoldEngine } from '../../../coordinator/src/rounds/fold-engine.js';
import { NO_SPANS } from '../../../coordinator/src/tracing/span-recorder.js';
import { ParticipationRecorder } from '../../../coordinator/src/rounds/participation-recorder.js';
import { RoundNoise } from '../../../coordinator/src/rounds/round-noise.js';
import { RoundConductor } from '../../../coordinator/src/rounds/round-conductor.js';
import { EnrolmentController } from '../../../coordinator/src/sites/enrolment.controller.js';
import { SitesController } from '../../../coordinator/src/sites/sites.controller.js';
import { UploadSpool } from '../../../coordinator/src/transfer/upload-spool.js';
import { MeasureThreads } from '../../../coordinator/src/updates/measure-threads.js';
import { SKETCH_BUCKETS } from '../../../coordinator/src/updates/sketch.js';
import type { MeasureTask } from '../../../coordinator/src/updates/measure-update.js';
import type { MeasuredUpdate } from '../../../coordinator/src/updates/update-facts.js';
import type { UpdateShape } from '../../../coordinator/src/updates/update-tensors.js';
import { type CoordinatorDisk, digestAt, SimulatedBlobs } from './coordinator-disk.js';
import {
  foldedBytes,
  type FoldedParts,
  type FoldedUpdate,
  type MovedPart,
  movedWeights,
  readFolded,
  weightsOf,
} from './folded-bytes.js';
import type { Life } from './life.js';
import { PutTogether, type Token } from './put-together.js';
import { NOT_FINITE, TOO_LARGE } from './simulated-trainer.js';
import { SimulatedSpool } from './simulated-spool.js';
import type { WorldPlan } from './world-plan.js';
import { SiteDoor } from './site-connection.js';

const KEY = newSigningKey();
const COMMIT_MS = 3;
const FOLD_MS = 2_000;
const HOME_FOLDER = homeFolder('simulated');

/** A coordinator's settings in simulated time; it ticks less often than a real one, because every fact makes it tick anyway. */
export const SIMULATED_CONFIG: CoordinatorConfig = Object.freeze({
  home: HOME_FOLDER.path,
  host: '127.0.0.1',
  port: 0,
  database: undefined,
  blobs: { bucket: undefined, cacheBytes: 0 },
  retention: compileRetentionSettings({
    ...{ retainUpdates: 'all', retainUpdateRounds: 0, retainHeldBack: 'all', retainVersions: 'all', retainVersionEvery: 0 },
  }),
  traces: { endpoint: undefined, share: 1 },
  tls: undefined,
  authority: undefined,
  plainHttp: false,
  publicUrl: undefined,
  log: compileLogSettings({ logLevel: 'silent', logLevels: {}, logFormat: 'text' }),
  tokenLifetimeMs: 86_400_000,
  signInLifetimeMs: 43_200_000,
  credentialLifetimeMs: 3_600_000,
  bearerCredentials: true,
  uploadLifetimeMs: 86_400_000,
  scoringLimitMs: 300_000,
  scoringPresenceMs: 15_000,
  tickIntervalMs: 10_000,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 10_000,
  uploadsAtOnce: 16,
  uploadStallMs: 60_000,
  limits: {
    requestsPerAddress: 200,
    connectionsPerAddress: 200,
    connectionsAtOnce: 4096,
    requestsPerSite: 50,
    requestsAtOncePerSite: 16,
    messagesPerSite: 100,
    requestTimeoutMs: 30_000,
    trustedProxies: ['loopback'],
  },
});

/** A planted bug: what it puts in the place of the coordinator's own parts. */
export interface Mutation {
  readonly classes?: readonly (readonly [Token, Type])[];
  readonly blobs?: (real: BlobStore, life: Life) => BlobStore;
  readonly fold?: (job: FoldJob) => FoldJob;
}

/** One run of the coordinator: its real classes over a disk that survives it. */
export class SimulatedCoordinator {
  readonly door: SiteDoor;
  readonly spool: SimulatedSpool;
  readonly campaigns: CampaignCommands;
  readonly sites: SitesController;
  readonly enrolment: EnrolmentController;

  constructor(
    readonly life: Life,
    readonly disk: CoordinatorDisk,
    { mutation = {}, retention }: Partial<Pick<WorldPlan, 'mutation' | 'retention'>> = {},
  ) {
    disk.drafts.clear();
    this.door = new SiteDoor(life);
    this.spool = new SimulatedSpool(disk, life, () => ({
      unitOfWork: parts.get(UnitOfWork),
      participations: parts.get(ParticipationRecorder),
    }));
    life.onDeath(() => disk.records.rollBack());
    const blobs = new SimulatedBlobs(disk, life);
    const parts = new PutTogether(
      [
        [DataSource, disk.records.connect((commit) => life.write('commit', COMMIT_MS, commit))],
        [CONFIG, retention === undefined ? SIMULATED_CONFIG : { ...SIMULATED_CONFIG, retention }],
        [HOME, HOME_FOLDER],
        [CLOCK, life.clock],
        [SPANS, NO_SPANS],
        [COORDINATOR_KEY, KEY],
        [ProofNonces, new ProofNonces()],
        [BLOB_STORE, mutation.blobs?.(blobs, life) ?? blobs],
        [Log, Log.ofLevel('silent')],
        [UploadSpool, this.spool],
        [FoldEngine, new SimulatedFold(disk, life, mutation.fold)],
        [RoundNoise, { orderFor: () => undefined }], // what is folded here are words
        [MeasureThreads, new SimulatedMeasure(disk)],
      ],
      new Map(mutation.classes),
    );
    this.campaigns = parts.get(CampaignCommands);
    this.sites = parts.get(SitesController);
    this.enrolment = parts.get(EnrolmentController);
    parts.get(SiteGateway).afterInit(this.door.namespace);
    parts.get(RoundConductor).onApplicationBootstrap();
    if (retention !== undefined) parts.get(Retention).onApplicationBootstrap();
  }
}

/** Combines tiny files that stand for weights: the result tells what was folded, in which order and with which weights. */
export class SimulatedFold {
  constructor(
    private readonly disk: CoordinatorDisk,
    private readonly life: Life,
    private readonly changed: (job: FoldJob) => FoldJob = (job) => job,
  ) {}

  async fold(asked: FoldJob): Promise<FoldOutcome> {
    const job = this.changed(asked);
    const updates = job.updates.map(({ path, ...update }) => ({ ...update, digest: digestAt(path) }));
    const parts = this.partsOf(job, updates);
    const content = foldedBytes(digestAt(job.basePath), updates, parts);
    const state =
      parts && Buffer.from(JSON.stringify({ recipe: parts.recipe, before: parts.tookUp, made: digestOfBytes(content) }));
    await this.life.write('folded', FOLD_MS, () => {
      this.disk.drafts.set(job.outputPath, content);
      if (state !== undefined) this.disk.drafts.set(job.stateOutputPath, state);
    });
    const foldedSites = updates.map(({ siteName }) => siteName);
    const totalWeight = updates.reduce((sum, { patches }) => sum + patches, 0);
    const digest = digestOfBytes(content, job.digest);
    const carried = state === undefined ? null : { digest: digestOfBytes(state, job.digest), bytes: state.length };
    return { digest, bytes: content.length, state: carried, delta: null, leftOut: [], foldedSites, totalWeight };
  }

  /** Where a model has an adversary: what the job's manifest lets move, and what the two parts become. */
  private partsOf({ manifest, recipe, basePath, statePath }: FoldJob, updates: readonly FoldedUpdate[]): FoldedParts | undefined {
    const moves = (part: MovedPart): boolean =>
      manifest.tensors.some(({ name, scope }) => scope === 'federated' && isOfPart(name, part));
    if (!manifest.tensors.some(({ name }) => isOfPart(name, 'adversary'))) return undefined;
    const base = readFolded(this.disk.at(basePath) ?? Buffer.alloc(0));
    const next = (part: MovedPart): Digest =>
      moves(part) ? movedWeights(weightsOf(base, part), updates) : weightsOf(base, part);
    return {
      moved: PARTS.filter(moves),
      recipe: recipe.name,
      tookUp: statePath === null ? null : digestAt(statePath),
      weights: { representation: next('representation'), adversary: next('adversary') },
    };
  }

  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.disk.drafts.delete(path);
  }
}

/** All honest updates have one size and direction here; what a clumsy trainer has made says so itself. */
class SimulatedMeasure {
  constructor(private readonly disk: CoordinatorDisk) {}

  async measure({ path, expected }: MeasureTask): Promise<MeasuredUpdate> {
    const content = this.disk.at(path);
    if (content === undefined) throw new FederationError('STORAGE_FAILED', 'the update is gone');
    if (content.includes(NOT_FINITE)) throw new FederationError('UPDATE_NOT_FINITE', 'the update holds a NaN');
    requirePart(content, expected);
    return { norm: content.includes(TOO_LARGE) ? 10 : 1, sketch: SKETCH };
  }
}

/** An update of one part of a model holds nothing of the other. */
function requirePart(content: Buffer, { deltas }: UpdateShape): void {
  const { part } = JSON.parse(content.toString()) as { part?: ModelPart };
  if (part === undefined || deltas.every(({ name }) => isOfPart(name, part))) return;
  throw new FederationError('MANIFEST_MISMATCH', `the update holds the ${part}`);
}

const PARTS: readonly MovedPart[] = ['representation', 'adversary'];
const SKETCH = Buffer.from(new Float32Array(SKETCH_BUCKETS).fill(1).buffer).toString('base64');
