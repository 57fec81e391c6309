import { Command } from 'commander';
import { ERROR_CODES, KIND_RULES, systemClock } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { CollectionIndex } from '../collection/collection-index.js';
import { requireHome } from '../config/site-folder.js';
import { EXAMPLE_POLICY } from '../policy/example-policy.js';
import { type Finding, judgePlan } from '../policy/judge-plan.js';
import { readPlanToJudge } from '../policy/plan-file.js';
import { PolicyDesk } from '../policy/policy-desk.js';
import { PolicyFile, type PolicyState } from '../policy/policy-file.js';
import { describePolicy, policyView } from '../policy/policy-view.js';
import { rulesOf, sitePolicySchema } from '../policy/site-policy.js';

interface PolicyOptions {
  readonly home: string;
  readonly json?: boolean;
  readonly example?: boolean;
}

/** `site-agent policy`: the site's own rules, and what they say of a plan. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('this site’s own rules: they outrank every plan')
    .option('--example', 'print a commented policy and end')
    .addHelpText(
      'after',
      `
Examples:
  site-agent policy --example > my-site/policy.yaml
  site-agent --home my-site policy check campaign.yaml`,
    )
    .action((_options: unknown, command: Command) => {
      if (command.opts<PolicyOptions>().example !== true) return command.help();
      process.stdout.write(EXAMPLE_POLICY);
    })
    .addCommand(showCommand())
    .addCommand(checkCommand());
}

function showCommand(): Command {
  return new Command('show')
    .description('print the rules in force')
    .option('--json', 'print them as JSON')
    .action((_options: unknown, command: Command) => show(command.optsWithGlobals<PolicyOptions>()));
}

function checkCommand(): Command {
  return new Command('check')
    .description(
      'tell, rule by rule, what this site would say to a plan; ends with 0 when it is allowed and 3 when it is refused',
    )
    .argument('<plan>', 'a campaign file as the coordinator takes it, or a round plan as JSON')
    .option('--json', 'print it as JSON')
    .action((plan: string, _options: unknown, command: Command) => check(plan, command.optsWithGlobals<PolicyOptions>()));
}

function show({ home, json }: PolicyOptions): void {
  const config = loadAgentConfig({ home });
  const state = requireReadable(config);
  const desk = new PolicyDesk({
    source: { read: () => state },
    facts: () => ({ device: config.device, protocol: PROTOCOL_VERSION }),
  });
  const everTrains = desk.everTrains(config.hours, systemClock.nowMs());
  const policy = state.kind === 'in-force' ? state.policy : {};
  if (json === true)
    return console.log(JSON.stringify({ ...policyView(state), file: config.policyFile, policy, everTrains }, null, 2));
  console.log(`policy ${describePolicy(policyView(state))}`);
  if (state.kind === 'none')
    return console.log(`It would be read from ${config.policyFile}; "site-agent policy --example" prints one.`);
  const rows = rulesOf(policy).map((rule) => [
    rule,
    JSON.stringify(policy[rule]),
    sitePolicySchema.shape[rule].description ?? '',
  ]);
  console.log(formatTable(['rule', 'value', 'meaning'], rows));
  if (!everTrains) console.log('! These hours and those of site.yaml never meet: this site never trains.');
}

function check(path: string, { home, json }: PolicyOptions): void {
  const config = loadAgentConfig({ home });
  const { what, demand } = readPlanToJudge(path);
  const state = requireReadable(config);
  const findings = state.kind === 'in-force' ? judgeHere(config, state, demand) : [];
  const allowed = findings.every((finding) => finding.allowed);
  if (!allowed) process.exitCode = KIND_RULES[ERROR_CODES.POLICY_REFUSED].exitCode;
  if (json === true) return console.log(JSON.stringify({ what, campaign: demand.campaignName, allowed, findings }, null, 2));
  console.log(describe(`${what} ${demand.campaignName}`, findings, allowed));
}

function judgeHere(
  config: AgentConfig,
  { policy }: Extract<PolicyState, { kind: 'in-force' }>,
  demand: Parameters<typeof judgePlan>[1],
): Finding[] {
  if (policy.folders === undefined) return judgePlan(policy, demand, { device: config.device, protocol: PROTOCOL_VERSION });
  requireHome(config.folder);
  const index = CollectionIndex.open(config.folder.databaseFile);
  try {
    const volumesIn = (folders: readonly string[]): number => index.countUsable(folders);
    return judgePlan(policy, demand, { device: config.device, protocol: PROTOCOL_VERSION, volumesIn });
  } finally {
    index.close();
  }
}

function describe(what: string, findings: readonly Finding[], allowed: boolean): string {
  if (findings.length === 0) return `${what}: allowed; this site has no rule on it`;
  const rows = findings.map((finding) => [finding.allowed ? '✓' : '✗', finding.rule, finding.why]);
  return `${formatTable(['', 'rule', 'finding'], rows)}\n\n${what}: ${allowed ? 'allowed' : 'refused'}`;
}

/** Throws what is wrong with the file, which the agent would only log. */
function requireReadable(config: AgentConfig): PolicyState {
  const state = new PolicyFile(config.policyFile, config.policyIsNamed).read();
  if (state.kind === 'broken') throw state.error;
  return state;
}
