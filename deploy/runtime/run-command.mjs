import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and returns what it said; never throws for a failing program.
 * A program that does not exist has status -1.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void, inherit?: boolean }} [options]
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
 */
export function runCommand(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream]?.setEncoding('utf8').on('data', (text) => {
        said[stream] = (said[stream] + text).slice(-200_000);
      });
    }
    const release = passSignalsOn(child);
    child.on('error', (error) => {
      release();
      resolve({ status: -1, stdout: '', stderr: error.message });
    });
    child.on('close', (status, signal) => {
      release();
      resolve({ status: status ?? (signal === null ? 1 : 128), ...said });
    });
  });
}

/** Ends the child when this process is told to end, so that nothing goes on downloading behind the user's back. */
function passSignalsOn(child) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const handlers = signals.map((signal) => {
    const handler = () => {
      child.kill(signal);
      process.exitCode = signal === 'SIGINT' ? 130 : 143;
      setTimeout(() => process.exit(), 200);
    };
    process.once(signal, handler);
    return [signal, handler];
  });
  return () => handlers.forEach(([signal, handler]) => process.removeListener(signal, handler));
}

/** The last lines of a program's complaint, for an error message. */
export function lastWords(result, lines = 3) {
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr;
  return text.trim().split('\n').slice(-lines).join(' | ').slice(0, 600);
}
