/** Prints a measurement as one JSON line, or why there is none. */
export async function printResult(measure) {
  try {
    console.log(JSON.stringify(await measure()));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
