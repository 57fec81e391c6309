/**
 * Where the environment says that the TensorFlow runtime lies: CONSILIUM_RUNTIME_DIR names its folder, XDG_CACHE_HOME the
 * user's cache. Both are optional; set-up reads the same two.
 */
export function runtimeSearch(environment: Readonly<Record<string, string | undefined>> = process.env): {
  runtimeFolder: string | undefined;
  cacheFolder: string | undefined;
} {
  return {
    runtimeFolder: environment['CONSILIUM_RUNTIME_DIR'] || undefined,
    cacheFolder: environment['XDG_CACHE_HOME'] || undefined,
  };
}
