/** Enough to tell sets apart; who boots one compares the whole digest. */
const SET_DIGITS = 12

/** The TXT keys that say who serves, and what: claims, all of them (DESIGN decision 2). */
export function identityTxt(about: {
  readonly peerId: string | null
  /** `sha256:<hex>`, or null where the manifest is made on request. */
  readonly manifestDigest: string | null
  /** TCP port of the DHT node, where there is one. */
  readonly dhtPort?: number | undefined
}): Readonly<Record<string, string>> {
  const { peerId, manifestDigest, dhtPort } = about
  return {
    ...(peerId === null ? {} : { peer_id: peerId }),
    ...(manifestDigest === null ? {} : { set: manifestDigest.replace(/^sha256:/, '').slice(0, SET_DIGITS) }),
    ...(dhtPort === undefined ? {} : { dht_port: String(dhtPort) }),
  }
}
