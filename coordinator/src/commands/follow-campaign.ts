import { FederationError, formatDuration, shortDigest } from '@consilium/shared/kernel';
import {
  type CampaignEvent,
  campaignEventSchema,
  type CampaignState,
  type CampaignView,
  campaignViewSchema,
  describeMonitorChange,
  describeMonitors,
  describeRound,
  describeSkill,
  OPERATOR_NAMESPACE,
  type UpdateMonitors,
} from '@consilium/shared/wire';
import { io } from 'socket.io-client';
import { type OperatorLink, unreachable } from './operator-link.js';

const ENDED: ReadonlySet<CampaignState> = new Set(['finished', 'failed', 'cancelled']);

/** How often the state is asked for besides the events, so that a missed event cannot hang the command. */
const POLL_MS = 5_000;

/** Prints what happens, one line per event, until the campaign has ended; resolves with its last view. */
export async function followCampaign(link: OperatorLink, name: string, print: (line: string) => void): Promise<CampaignView> {
  const look = (): Promise<CampaignView> => link.get(`/api/campaigns/${encodeURIComponent(name)}`, campaignViewSchema);
  const first = await look();
  if (ENDED.has(first.state)) return first;
  const socket = io(`${link.url}${OPERATOR_NAMESPACE}`, {
    auth: { token: link.token },
    ...(link.authorities && { ca: link.authorities }),
  });
  let timer: NodeJS.Timeout | undefined;
  let lastLine = '';
  try {
    return await new Promise<CampaignView>((resolve, reject) => {
      const check = (): void => {
        look()
          .then((view) => {
            if (ENDED.has(view.state)) resolve(view);
          })
          .catch((error: unknown) => {
            // A coordinator that restarts is waited for; any other refusal ends the command.
            if (FederationError.from(error).code !== 'COORDINATOR_UNREACHABLE') reject(FederationError.from(error));
          });
      };
      timer = setInterval(check, POLL_MS);
      socket.on('campaign:event', (message: unknown) => {
        const event = campaignEventSchema.safeParse(message);
        if (!event.success || event.data.campaignId !== first.id) return;
        const line = describeEvent(event.data);
        if (line !== undefined && line !== lastLine) print(line);
        lastLine = line ?? lastLine;
        if (event.data.kind === 'campaign') check();
      });
      socket.on('disconnect', () => print('connection lost; waiting for the coordinator'));
      socket.on('connect', check);
      socket.on('connect_error', (error) => {
        if (!socket.active) reject(unreachable(link.url, error));
      });
    });
  } finally {
    clearInterval(timer);
    socket.off('disconnect'); // our own farewell is no lost connection
    socket.close();
  }
}

/** One line for a terminal; undefined for events that are noise there. */
export function describeEvent(event: CampaignEvent): string | undefined {
  switch (event.kind) {
    case 'campaign':
      return `campaign ${event.state}`;
    case 'round': {
      const version = event.versionDigest === undefined ? '' : `, new version ${shortDigest(event.versionDigest)}`;
      const missing = event.missingSites === undefined ? '' : `, without ${event.missingSites.join(', ')}`;
      const figures = event.monitors === undefined ? '' : `; ${describeMeans(event.monitors)}`;
      return `${describeRound(event.roundNumber, event.place)} ${event.state}${event.code === undefined ? '' : ` (${event.code})`}${missing}${version}${figures}`;
    }
    case 'participation':
      return `round ${event.roundNumber}  ${event.siteName} ${event.state}${event.code === undefined ? '' : ` (${event.code})`}`;
    case 'progress': {
      const { phase, step, steps, loss } = event.progress;
      const detail = phase === 'training' ? ` step ${step}/${steps}${loss === undefined ? '' : `, loss ${loss.toFixed(4)}`}` : '';
      return `round ${event.roundNumber}  ${event.siteName} ${phase}${detail}`;
    }
    case 'score': {
      const figures = event.monitors === undefined ? '' : `; ${describeMonitors(event.monitors)}`;
      return `version ${event.versionNumber}  ${event.siteName} restoration error ${event.score.restorationError.toFixed(5)}, skill ${describeSkill(event.score)}${figures}`;
    }
  }
}

/** The monitors of a round: of the base and of what the sites delivered. */
function describeMeans({ base, trained }: UpdateMonitors): string {
  return `mean over the sites’ probes, from the base to the updates: ${describeMonitorChange(base, trained)}`;
}

/** A campaign on a few lines: the state, then a line per round, and one of its monitors where it has any. */
export function describeCampaign(view: CampaignView): string[] {
  const head = `${view.name}: ${view.state}${view.code === null ? '' : ` (${view.code})`}, ${view.finishedRounds} of ${view.rounds} rounds, version ${view.version.number} ${shortDigest(view.version.digest)}`;
  const rounds = view.roundViews.flatMap((round) => {
    const lasted =
      round.startedAtMs === null || round.finishedAtMs === null
        ? ''
        : ` in ${formatDuration(round.finishedAtMs - round.startedAtMs)}`;
    const sites = round.participations.map(({ siteName, state, code, meanLoss, countedInRound }) => {
      const later = countedInRound === null || countedInRound === round.number ? '' : `, counted in round ${countedInRound}`;
      const loss = meanLoss === null ? '' : ` loss ${meanLoss.toFixed(4)}`;
      return `${siteName} ${state}${code === null ? '' : ` (${code})`}${loss}${later}`;
    });
    const attempt = round.attempt > 1 ? `, try ${round.attempt}` : '';
    const line = `  ${describeRound(round.number, round.place)}${attempt}  ${round.state}${round.code === null ? '' : ` (${round.code})`}${lasted}: ${sites.join(', ')}`;
    return round.monitors === undefined ? [line] : [line, `    ${describeMeans(round.monitors)}`];
  });
  const scores = view.version.scores.map(({ siteName, score, monitors }) => {
    const figures = monitors === undefined ? '' : `; ${describeMonitors(monitors)}`;
    return `  version ${view.version.number}  ${siteName} skill ${describeSkill(score)}${figures}`;
  });
  return [head, ...describePrivacy(view), ...rounds, ...scores];
}

/** Form, noise and ε so far of each site. */
function describePrivacy({ privacy, rounds }: CampaignView): string[] {
  if (privacy === undefined) return [];
  const { form, clipNorm, noiseMultiplier, delta, sites, epsilonAtEnd, figures } = privacy;
  const spent = sites.map(({ siteName, releases, epsilon }) => `${siteName} ${formatEpsilon(epsilon)} after ${releases}`);
  return [
    `  privacy  ${form}, clip norm ${clipNorm}, noise ${noiseMultiplier} of it; ${figures === 'all' ? 'losses and scores leave without noise' : 'counts alone leave beside updates'}`,
    `  ε at δ ${delta}  ${spent.join(', ')} updates; ${formatEpsilon(epsilonAtEnd)} after all ${rounds} rounds`,
  ];
}

/** ε for people, rounded up: no number promises more than holds. */
export function formatEpsilon(epsilon: number): string {
  return (Math.ceil(epsilon * 1000) / 1000).toFixed(3);
}
