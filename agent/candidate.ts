import type { DiscoverySource } from './boot-record.ts'

/** A place to ask, as discovery found it. What it claims about itself is only a claim (DESIGN decision 2). */
export interface Candidate {
  /** Base URL without a trailing slash. Its host is a name where only `reach` can be connected to. */
  readonly url: string
  readonly source: DiscoverySource
  readonly name: string | null
  /** As advertised, or null where the advertisement does not say. */
  readonly generation: number | null
  /** As advertised: a provider that says itself that it has nothing newer need not be asked whether it has (find-newer.ts). */
  readonly sequence?: number
  readonly version?: string
  /** Transfers that it says are running. */
  readonly load?: number
  /** First hex digits of the manifest digest that it says it serves. */
  readonly set?: string
  readonly peerId?: string
  /** TCP port of its DHT node, where it says that it has one: a bootstrap peer on this link. */
  readonly dhtPort?: number
  /** To be connected to instead of the URL's host: `fe80::1%eth0`, which a URL cannot carry (RFC 6874 is not in WHATWG's). */
  readonly reach?: string
  /** Other addresses of it, best first: connected to instead where it cannot be asked at the one before (fetch-manifests.ts). */
  readonly also?: readonly string[]
  /** Whether it is on a link of this machine; absent: not known. */
  readonly onLink?: boolean | undefined
}

/** Where a provider is connected to: what every connection to a candidate is made with. */
export type Place = Pick<Candidate, 'url' | 'reach'>

/** A place that discovery found and will not ask, with the reason in words. */
export interface RejectedCandidate extends Candidate {
  readonly reason: string
  /** It was a candidate before, and whoever told of it takes that back: it said goodbye, or nobody listens there any more. */
  readonly withdrawn?: true
}

/** How long discovery waits for more once somebody has answered; peers spare the origin (DESIGN decision 2). */
export const SETTLING = { afterBootedMs: 250, afterOriginMs: 600 }

/**
 * When discovery stops waiting for more candidates.
 * @param found candidates with the time at which each came, milliseconds
 * @returns the time, or undefined while there is no candidate
 */
export function settledAt(
  found: ReadonlyArray<{ readonly at: number; readonly generation: number | null }>,
): number | undefined {
  if (found.length === 0) return undefined
  const first = Math.min(...found.map(({ at }) => at)) + SETTLING.afterOriginMs
  const booted = found.filter(({ generation }) => generation !== null && generation >= 1).map(({ at }) => at)
  return Math.min(first, ...booted.map((at) => at + SETTLING.afterBootedMs))
}
