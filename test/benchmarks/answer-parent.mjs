/**
 * The child's end of an AskedProcess: answers each message by the function of its name, and says first that it is ready. The
 * function's failure is the parent's.
 */
export function answerParent(answers, ready = null) {
  process.on('message', async ({ id, ask, order }) => {
    let answer;
    try {
      answer = { id, value: (await answers[ask](order)) ?? null };
    } catch (error) {
      answer = { id, failure: String(error) };
    }
    if (process.connected) process.send(answer);
  });
  process.send({ id: 0, value: ready });
}
