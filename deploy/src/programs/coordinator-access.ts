import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CampaignView, campaignViewSchema } from '@consilium/shared/wire';
import { z } from 'zod';

const runningSchema = z.object({ url: z.string() });

/** Reads the running coordinator's address and the operator's token from its home folder. */
export class CoordinatorAccess {
  constructor(private readonly home: string) {}

  /** The address, or undefined until the coordinator listens. */
  url(): string | undefined {
    try {
      return runningSchema.parse(JSON.parse(readFileSync(join(this.home, 'coordinator.json'), 'utf8'))).url;
    } catch {
      return undefined;
    }
  }

  /** The operator's token, which the coordinator made at its first start. */
  token(): string {
    return readFileSync(join(this.home, 'operator.token'), 'utf8').trim();
  }

  async campaign(name: string): Promise<CampaignView> {
    const answer = await fetch(`${this.url()}/api/campaigns/${name}`, { headers: { authorization: `Bearer ${this.token()}` } });
    if (!answer.ok) throw new Error(`the coordinator answered ${answer.status} to a question about the campaign`);
    return campaignViewSchema.parse(await answer.json());
  }
}
