/** The longest that RFC 6762, 10 recommends, 75 minutes: nobody may stay longer without being heard, whatever a record says. */
const TTL_MAX_SECONDS = 75 * 60
/** Parts of its time to live after which a record is asked for again (RFC 6762, 5.2). */
const ASK_AGAIN_AT = [0.8, 0.85, 0.9, 0.95]

/** What a goodbye leaves: time for whoever still has the record to say so (RFC 6762, 10.1). */
const GOODBYE_TTL_SECONDS = 1

/** How long a record may be kept. Times are milliseconds of one clock that only goes forward. */
export interface Lease {
  readonly at: number
  /** Seconds. */
  readonly ttl: number
  /** How often it was asked for again. */
  asked: number
  /** Somebody has said goodbye for it; anybody on the link can. */
  readonly goodbye?: boolean
}

export function lease(ttl: number | undefined, now: number): Lease {
  return { at: now, ttl: Math.min(ttl ?? 0, TTL_MAX_SECONDS), asked: 0, goodbye: false }
}

/** Of a record for which somebody says goodbye: it ends a second later, however often that is said, and is asked for before. */
export function goodbye(given: Lease, now: number): Lease {
  return given.goodbye ? given : { at: now, ttl: GOODBYE_TTL_SECONDS, asked: 0, goodbye: true }
}

export const hasEnded = ({ at, ttl }: Lease, now: number): boolean => now >= at + ttl * 1000

export const secondsLeft = ({ at, ttl }: Lease, now: number): number => Math.floor(ttl - (now - at) / 1000)

/** Whether it is time to ask again; says so once for each time. */
export function isDue(given: Lease, now: number): boolean {
  const next = given.goodbye && given.asked === 0 ? 0 : ASK_AGAIN_AT[given.asked]
  if (next === undefined || now < given.at + given.ttl * 1000 * next) return false
  given.asked += 1
  return true
}
