/** Whether only programs of the same machine can reach this host: a name or address, IPv6 with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|\[::1\]|::1|127(\.\d{1,3}){3})$/.test(host);
}
