import { fork } from 'node:child_process';
import { FederationError } from '@consilium/shared/kernel';
import { inheritedEnvironment } from '../config/inherited-environment.js';
import { locateRuntime, runtimeEnvironment, type RuntimeSearch } from '../engine/runtime/locate-runtime.js';
import type { RuntimeFacts } from '../engine/runtime/runtime-facts.js';

const PROBE_TIMEOUT_MS = 60_000;
const KEPT_CHARACTERS = 8_000;
/** TensorFlow's lines about cards: warnings and errors that name them or their libraries. */
const ABOUT_CARDS = /^[WEF].*(gpu|cuda|cudnn|dlopen)/i;
const PROGRAM = new URL('./runtime-probe-main.js', import.meta.url);

/**
 * Loads TensorFlow in a process of its own and returns what it is: a library that crashes here, or prints on its own, does
 * neither to the caller. Throws RUNTIME_MISSING when there is none, when it does not load or when it ends the process.
 */
export async function probeRuntime(search: RuntimeSearch, program: URL | string = PROGRAM): Promise<RuntimeFacts> {
  const located = locateRuntime(search);
  const inherited = inheritedEnvironment();
  const probe = fork(program, [JSON.stringify(search)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    timeout: PROBE_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { ...inherited, ...runtimeEnvironment(located, inherited['LD_LIBRARY_PATH']) },
  });
  let lastWords = '';
  probe.stderr?.setEncoding('utf8').on('data', (text: string) => (lastWords = (lastWords + text).slice(-KEPT_CHARACTERS)));
  const answer: { value?: ProbeAnswer } = {};
  probe.on('message', (message) => (answer.value = message as ProbeAnswer));
  const ending = await new Promise<string>((resolve) => {
    probe.once('error', (error) => resolve(error.message));
    probe.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  if (answer.value === undefined) throw explainSilence(ending, lastWords);
  if ('facts' in answer.value) return withWords(answer.value.facts, lastWords);
  const { code, message, remedy } = answer.value;
  throw new FederationError(code, message, { remedy });
}

/** What the probing process sends back. */
export type ProbeAnswer =
  { facts: RuntimeFacts } | { code: FederationError['code']; message: string; remedy: string | undefined };

/** TensorFlow's own explanation belongs to the facts only where it refused every card. */
function withWords(facts: RuntimeFacts, lastWords: string): RuntimeFacts {
  if (facts.variant !== 'gpu' || facts.gpu.used) return facts;
  const words = lastWords.split('\n').filter((line) => ABOUT_CARDS.test(line) || line.includes('Skipping registering GPU'));
  return { ...facts, gpu: { ...facts.gpu, words: words.slice(-5) } };
}

function explainSilence(ending: string, lastWords: string): FederationError {
  const illegal = ending === 'SIGILL' ? 'This processor lacks instructions that the library uses. ' : '';
  return new FederationError('RUNTIME_MISSING', `TensorFlow ended the process that tried it (${ending})`, {
    remedy: `${illegal}Run "npm run setup -- --force". Its last words: ${lastWords.trim().split('\n').slice(-3).join(' | ') || 'none'}`,
  });
}
