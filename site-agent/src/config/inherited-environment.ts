/** The environment this process was started with, to hand on to a process that it starts. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env };
}
