/**
 * The measured process' end of the conversation: one line in, one JSON line out. Reading blocks the process outright, so that
 * waiting for its turn costs no processor time and no event loop runs beside a step.
 */
import { readFileSync, readSync, writeSync } from 'node:fs';

const chunk = Buffer.alloc(4096);
let pending = '';

/** The next line from the parent; undefined when it has closed the channel. */
export function receive() {
  while (!pending.includes('\n')) {
    const bytes = readSync(0, chunk);
    if (bytes === 0) return undefined;
    pending += chunk.toString('utf8', 0, bytes);
  }
  const end = pending.indexOf('\n');
  const line = pending.slice(0, end);
  pending = pending.slice(end + 1);
  return line;
}

export function send(answer) {
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

/** Answers each line by the function that its first word names, until the parent hangs up. */
export function serve(answers) {
  for (let line = receive(); line !== undefined; line = receive()) {
    const [name, ...words] = line.split(' ');
    send(answers[name](...words));
  }
}

/** Peak resident memory of this process, MiB. VmHWM is this program's own; ru_maxrss includes what was forked from. */
export function peakRssMiB() {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kibibytes !== undefined) return Math.round(Number(kibibytes) / 1024);
  } catch {
    // not Linux
  }
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Seconds and processor seconds of some work, and the processor seconds since the last work ended: waiting must cost none. */
export function clocked() {
  let ended = processorSeconds();
  return (work) => {
    const idleProcessorSeconds = processorSeconds() - ended;
    const [startedProcessor, started] = [processorSeconds(), performance.now()];
    const value = work();
    const seconds = (performance.now() - started) / 1000;
    ended = processorSeconds();
    return { value, seconds, processorSeconds: ended - startedProcessor, idleProcessorSeconds };
  };
}

export function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
