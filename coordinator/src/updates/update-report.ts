import { FederationError } from '@consilium/shared/kernel';
import { type PrivacyPlan, reportUnder, type ToldReport, toldReportSchema } from '@consilium/shared/wire';

/**
 * What a site says of its update, if it is sound; where the plan keeps figures at the sites, its counts alone. UPDATE_REPORT_INVALID
 * names the fields that are not (JSON has no NaN: a site whose loss is one sends null); only names that the schema knows are
 * repeated, for a stranger may have put anything into others. Figures that a site keeps to itself are no fault.
 */
export function readUpdateReport(report: unknown, plan: { readonly privacy?: PrivacyPlan | undefined } = {}): ToldReport {
  const result = toldReportSchema.safeParse(report);
  if (result.success) return reportUnder(plan, result.data);
  const fields = [...new Set(result.error.issues.map(({ path }) => path.join('.')))].filter((field) => field !== '');
  const finding = fields.length === 0 ? 'has not the fields that it should have' : `has no sound number as ${fields.join(', ')}`;
  throw new FederationError('UPDATE_REPORT_INVALID', `what the site reports of its update ${finding}`, {
    details: { field: fields[0] ?? '' },
    remedy: 'The training at this site diverged: lower the learning rate, or look at the site with "site-agent doctor".',
  });
}
