import { type Digest, readOrMakeSecret } from '@consilium/shared/kernel';
import { noiseKey } from '@consilium/shared/safeguards';
import type { PrivacyPlan } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import type { NoiseOrder } from '../aggregation/fold-files.js';
import type { HomeFolder } from '../home/home-folder.js';
import { HOME } from '../ports.js';

/** All that the noise of a fold is added to. */
export interface NoisedFold {
  readonly roundId: string;
  readonly base: Digest;
  readonly updates: readonly Digest[];
}

const DAMAGED = {
  what: 'the coordinator’s secret for noise',
  remedy: 'Delete it while no round is being folded: the next fold makes a new one.',
};

/** The coordinator's half of the central form of update privacy: noise that nobody else can tell, and that a repeated fold finds again. */
@Injectable()
export class RoundNoise {
  constructor(@Inject(HOME) private readonly home: HomeFolder) {}

  /**
   * The noise of a fold; undefined under plans without the central form. A fold that is repeated after a crash has the same noise. One
   * of other updates has noise of its own: two sums with the same noise would tell their difference.
   */
  orderFor(privacy: PrivacyPlan | undefined, { roundId, base, updates }: NoisedFold): NoiseOrder | undefined {
    if (privacy?.form !== 'central') return undefined;
    const { form, clipNorm, noiseMultiplier } = privacy;
    const purpose = { form, clipNorm, noiseMultiplier, round: roundId, base, updates: updates.toSorted() };
    return { key: this.keyed(purpose), deviation: noiseMultiplier * clipNorm };
  }

  /**
   * What an update may be called by those who see versions. Training repeats itself to the bit: the digest of an update without noise
   * would tell whether it is the one that somebody has worked out, so under the central form it is masked.
   */
  nameFor(privacy: PrivacyPlan | undefined, update: Digest): Digest {
    return privacy?.form === 'central' ? `sha256:${this.keyed({ nameOf: update })}` : update;
  }

  /** 64 hexadecimal digits. */
  private keyed(purpose: object): string {
    return Buffer.from(noiseKey(readOrMakeSecret(this.home.noiseSecretFile, DAMAGED), purpose)).toString('hex');
  }
}
