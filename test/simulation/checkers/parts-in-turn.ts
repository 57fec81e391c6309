import { frozenAdversary } from '@consilium/shared/wire';
import type { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { type FoldedVersion, type MovedPart, movedWeights, readFolded, weightsOf } from '../world/folded-bytes.js';
import type { World } from '../world/world.js';
import { atTheEnd, firstWrong } from './checker.js';

/** Written down once more, from the round's number alone: one round of the representation, then those of the adversary. */
export const partsInTurn = atTheEnd(
  'representation and adversary move in turn; the other one, and what its recipe carries, stand still',
  ({ campaigns, versions, rounds }, world) =>
    firstWrong(campaigns, ({ id, plan }) => {
      const subRounds = frozenAdversary(plan.objective)?.subRounds;
      if (subRounds === undefined) return undefined;
      const own = versions.filter(({ campaignId }) => campaignId === id).sort((a, b) => a.number - b.number);
      const states = new Map<MovedPart, ModelVersion['stateDigest']>();
      return firstWrong(own.slice(1), (version) => {
        const number = rounds.find((round) => round.id === version.roundId)?.number ?? 0;
        const part = number % (subRounds + 1) === 1 ? 'representation' : 'adversary';
        const wrong = wrongWith(
          contentOf(world, version),
          contentOf(world, own[version.number - 2]),
          part,
          states.get(part) ?? null,
        );
        states.set(part, version.stateDigest);
        return wrong === undefined ? undefined : `version ${version.number}, made by round ${number} of the ${part}, ${wrong}`;
      });
    }),
);

function contentOf({ disk }: World, version: ModelVersion | undefined): FoldedVersion | undefined {
  return version && readFolded(disk.contentOf(version.digest));
}

function wrongWith(
  version: FoldedVersion | undefined,
  base: FoldedVersion | undefined,
  part: MovedPart,
  carried: string | null,
): string | undefined {
  const parts = version?.parts;
  if (version === undefined || parts === undefined) return 'tells nothing of its parts';
  const other = part === 'adversary' ? 'representation' : 'adversary';
  if (parts.weights[other] !== weightsOf(base, other)) return `moved the ${other}`;
  if (parts.weights[part] !== movedWeights(weightsOf(base, part), version.updates)) return `did not move the ${part}`;
  if ((parts.recipe === 'adversary-adam') !== (part === 'adversary')) return `was folded by ${parts.recipe}`;
  return parts.tookUp === carried ? undefined : 'took up a state that is not its part’s last one';
}
