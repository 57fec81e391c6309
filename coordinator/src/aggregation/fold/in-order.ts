/**
 * Does `count` tasks in several lanes at once and uses their results in the order of the tasks. A lane takes its next task when
 * its last result has been used, so at most one result a lane waits. After a failure nothing new is begun; it is thrown once
 * everything begun has ended, so that whoever catches it may close what the tasks use.
 */
export async function inOrder<Lane, Result>(
  lanes: readonly Lane[],
  count: number,
  work: {
    run(lane: Lane, task: number): Promise<Result>;
    use(result: Result): void;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  let begun = 0;
  let hasFailed = false;
  let turn = Promise.resolve();
  const follow = async (lane: Lane): Promise<void> => {
    while (begun < count && !hasFailed && work.signal?.aborted !== true) {
      const result = work.run(lane, begun++);
      const used = turn.then(async () => work.use(await result));
      turn = used;
      const outcomes = await Promise.allSettled([result, used]);
      if (outcomes.some(({ status }) => status === 'rejected')) hasFailed = true;
    }
  };
  await Promise.all(lanes.map(follow));
  await turn;
  work.signal?.throwIfAborted();
}
