const LOWEST = [20, 19];

/** Ends the process with one clear line when this Node is too old; plain syntax, so that old releases reach it. */
export function checkNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LOWEST[0] || (major === LOWEST[0] && minor >= LOWEST[1])) return;
  console.error(
    `Consilium needs Node ${LOWEST.join('.')} or newer, this is ${version}.\n  Install a current Node (20, 22 or 24) and run the command again.`,
  );
  process.exit(2);
}
