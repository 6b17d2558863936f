interface WithAddress {
  readonly connection: { readonly address: string };
}

/**
 * Which of several has to make room: of the machine that holds most, the first in rank; so nobody gains by having
 * more connections. Undefined where there is none.
 *
 * @param share what each adds to what its machine holds
 * @param rank which of one machine's goes first: the highest
 */
export function givesWayFirst<T extends WithAddress>(
  peers: readonly T[],
  share: (peer: T) => number,
  rank: (peer: T) => number,
): T | undefined {
  const held = new Map<string, number>();
  for (const peer of peers) {
    const { address } = peer.connection;
    held.set(address, (held.get(address) ?? 0) + share(peer));
  }
  const most = Math.max(...held.values());
  const candidates = peers.filter(({ connection }) => held.get(connection.address) === most);
  return candidates.length === 0
    ? undefined
    : candidates.reduce((left, right) => (rank(right) > rank(left) ? right : left));
}
