import { atTheEnd, firstWrong } from './checker.js';

export const oneVersionPerRound = atTheEnd('a finished round has made one version, any other round none', (records) =>
  firstWrong(records.rounds, ({ id, number, state }) => {
    const made = records.versions.filter(({ roundId }) => roundId === id).length;
    return made === (state === 'finished' ? 1 : 0) ? undefined : `round ${number} is ${state} and has made ${made} versions`;
  }),
);
