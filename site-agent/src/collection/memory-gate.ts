/** Lets work in as long as its memory fits a budget and a bounded number is inside; what is larger than the budget goes in alone. */
export class MemoryGate {
  private insideBytes = 0;
  private insideCount = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly budgetBytes: number,
    private readonly most: number,
  ) {}

  /** Resolves when the work may begin; call the function that it gives when the work has ended. First come, first served. */
  async enter(bytes: number): Promise<() => void> {
    while (!this.fits(bytes)) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.insideBytes += bytes;
    this.insideCount++;
    return () => {
      this.insideBytes -= bytes;
      this.insideCount--;
      this.waiting.shift()?.();
    };
  }

  private fits(bytes: number): boolean {
    return this.insideCount === 0 || (this.insideCount < this.most && this.insideBytes + bytes <= this.budgetBytes);
  }
}
