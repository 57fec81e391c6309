/** The command line of bench:federation. */
import { parseArgs } from 'node:util';

const CHOICES = {
  format: ['f32', 'f16', 'bf16', 'int8'],
  digest: ['sha256', 'blake3'],
  kill: ['coordinator', 'agent'],
  at: ['invitation', 'upload', 'fold', 'write'],
};

export const HELP = `npm run bench:federation -- [options]

A real coordinator and real agent processes on loopback; site k adds 1e-3 + k·1e-5 to every weight instead of training.
Prints one JSON line. Build first.

  --sites N             sites, each a process of its own (default 4)
  --parameters M        federated parameters of the model, such as 1M or 25e6: the smallest model with as many (default 1M)
  --rounds R            rounds (default 5)
  --format F            f32 (default), f16, bf16 or int8
  --digest D            sha256 or blake3; the campaign's own default when left out
  --recipe NAME         such as fedavg (default); only fedavg has a reference
  --equal-weights       all sites weigh the same; otherwise site k does k steps fewer
  --count-bytes         counts what crosses the coordinator's sockets, through a relay: takes time, so take times without it
  --slow-site SECONDS   the last site sleeps so long in each round; the quorum is then all others
  --grace DURATION      how long a round waits after its quorum (default 30s, with --slow-site 1s)
  --kill WHO --at WHEN  kill -9 the coordinator or one agent (WHO) once in the middle round, at its invitation, in the middle of
                        its upload, while the round is folded or while a weight file is written (WHEN), start it again, and
                        compare with a run without
  --idle N              only N connected idle sites, and the coordinator's memory
  --profile FOLDER      writes processor profiles of the coordinator and of the first agent
  --keep                leaves the folder of the run where it is and prints its name`;

/** Throws on a word that is no choice. */
export function readOptions(args) {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    args,
    options: {
      sites: { ...text, default: '4' },
      parameters: { ...text, default: '1M' },
      rounds: { ...text, default: '5' },
      format: { ...text, default: 'f32' },
      recipe: { ...text, default: 'fedavg' },
      digest: text,
      grace: text,
      'slow-site': text,
      'equal-weights': flag,
      'count-bytes': flag,
      kill: text,
      at: text,
      idle: text,
      profile: text,
      keep: flag,
    },
  });
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (values[name] === undefined || choices.includes(values[name])) continue;
    throw new Error(`--${name} is one of ${choices.join(', ')}, not ${values[name]}`);
  }
  if ((values.kill === undefined) !== (values.at === undefined)) throw new Error('--kill and --at go together');
  const slowSiteSeconds = values['slow-site'] === undefined ? undefined : count('slow-site', values['slow-site']);
  return {
    sites: count('sites', values.sites),
    parameters: count('parameters', values.parameters),
    rounds: count('rounds', values.rounds),
    format: values.format,
    recipe: values.recipe,
    digest: values.digest,
    grace: values.grace ?? (slowSiteSeconds === undefined ? '30s' : '1s'),
    slowSiteSeconds,
    equalWeights: values['equal-weights'],
    countBytes: values['count-bytes'],
    kill: values.kill === undefined ? undefined : { who: values.kill, at: values.at },
    idle: values.idle === undefined ? undefined : count('idle', values.idle),
    profile: values.profile,
    keep: values.keep,
  };
}

/** Whole numbers from 1, also as 25M, 250k or 25e6. */
function count(name, text) {
  const [, digits, unit] = /^([0-9.]+(?:e[0-9]+)?)([kM]?)$/.exec(text) ?? [];
  const value = Number(digits) * { '': 1, k: 1e3, M: 1e6 }[unit ?? ''];
  if (Number.isInteger(value) && value >= 1) return value;
  throw new Error(`--${name} needs a whole number above 0, such as 8, 250k or 25M, not "${text}"`);
}
