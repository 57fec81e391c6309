/** A step of a demonstration or protocol failed; the text is ready for the terminal, the status is the failed command's own. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';

  constructor(
    message: string,
    readonly exitStatus: number,
  ) {
    super(message);
  }
}
