/** A provider as it was found, by the names of `plasm-agent discover --json`. What it says of itself is not proven. */
export interface FoundProvider {
  /** Base URL; where nobody names one that can be asked, who said so. */
  readonly url: string
  /** To be connected to instead of the URL's host: an IPv6 link-local address with its interface, which no URL can hold. */
  readonly reach?: string
  readonly source: 'mdns' | 'dht'
  /** Null where it does not say, as with all that follow. */
  readonly name: string | null
  readonly channel: string | null
  readonly arch: string | null
  readonly claims: {
    /** How many boots away from an origin. */
    readonly generation: number | null
    readonly sequence: number | null
    readonly version: string | null
    /** Transfers that ran when it told last, some time ago. */
    readonly load: number | null
    /** First hex digits of the manifest digest. */
    readonly set: string | null
    readonly peerId: string | null
  }
  /** Why it cannot be asked, where that is known before. */
  readonly problem?: string
}

/** One that was asked, too. */
export interface AskedProvider extends Omit<FoundProvider, 'problem'> {
  /** From connecting to the answer's head, milliseconds; null where there was none. */
  readonly latencyMs: number | null
  /** `answers`, or `rejected: <why>`. Whether a machine would boot from it is for its trust policy to say. */
  readonly verdict: string
}
