import { campaignStateFile, siteFolder } from '../config/site-folder.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { ScoreOrder, ScoreResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { readVersion, withSiteLocal } from './base-weights.js';
import { keptParts, readKeptState } from './kept-state.js';
import { Learner } from './learner.js';
import { lookAtProbe } from './monitor-probe.js';
import { openCampaignProbe } from './round-probe.js';
import { loadCollection, modalitiesOf } from './site-collection.js';

/** Scores one version on the site's frozen probe: the same patches and distortions for every version of a campaign. */
export async function executeScore(order: ScoreOrder, context: OrderContext): Promise<ScoreResult> {
  const { plan } = order;
  const site = siteFolder(order.home);
  const version = await readVersion(order.versionPath, plan.version.digest, plan.model);
  const kept = await readKeptState(campaignStateFile(site, plan.campaignId), keptParts(plan), (text) => context.warn(text));
  const { cacheBytes, folders } = order.limits;
  const modalities = modalitiesOf(plan.objective);
  const collection = await loadCollection({ site, patch: plan.patch, modalities, cacheBytes, folders }, context);
  const probe = await openCampaignProbe(plan, collection);
  const learner = Learner.create({ runtime: openTrainerRuntime(order.limits, context), spec: plan.model });
  try {
    learner.loadWeights(withSiteLocal(version, kept.state.siteLocal));
    const { score, monitors } = await lookAtProbe(learner, plan.objective, probe, context.stop, (done) =>
      context.report('scoring', done, probe.length),
    );
    return { kind: 'score', score, ...(monitors === undefined ? {} : { monitors }) };
  } finally {
    learner.dispose();
  }
}
