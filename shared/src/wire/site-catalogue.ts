import { z } from 'zod';
import { nameField } from './fields.js';
import { CAMPAIGN_STATES } from './operator-events.js';
import { probeScoreSchema } from './reports.js';
import { versionReferenceSchema } from './version-reference.js';

const catalogueVersionSchema = z.object({
  ...versionReferenceSchema.shape,
  createdAtMs: z.number(),
  /** Left out while the coordinator has its weights; its passport stays. */
  droppedAtMs: z.number().optional(),
  /** What the asking site reported of it; other sites' scores are not told. */
  score: probeScoreSchema.nullable(),
});

/** GET /api/site/campaigns: the campaigns that a site takes part in, with their versions. Unknown fields are let pass. */
export const siteCampaignSchema = z.object({
  id: z.string(),
  name: nameField,
  state: z.enum(CAMPAIGN_STATES),
  /** In number order. */
  versions: z.array(catalogueVersionSchema),
});
export type SiteCampaign = z.infer<typeof siteCampaignSchema>;
export type CatalogueVersion = z.infer<typeof catalogueVersionSchema>;
