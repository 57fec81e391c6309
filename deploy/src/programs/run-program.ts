import { describeError, FederationError } from '@consilium/shared/kernel';
import { StepFailed } from './step-failed.js';

/** Runs a program's main function: its status becomes the process's, and what goes wrong is said as people are to read it. */
export async function runProgram(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (error instanceof StepFailed) {
      process.stderr.write(`\n${error.message}\n`);
      process.exitCode = error.exitStatus;
      return;
    }
    const failure = FederationError.from(error);
    process.stderr.write(`\n${describeError(failure)}\n`);
    process.exitCode = failure.exitCode;
  }
}
