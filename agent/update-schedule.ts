/** Where fetching fails again and again, this machine looks less often, but at least so often. */
const LAST_MS = 3600_000
const JITTER = 0.2

/**
 * When to look for a newer set the next time. Machines that booted together must not ask together for ever.
 * @param everyMs while all goes well
 * @param failures in a row
 * @param random 0 to 1
 * @returns milliseconds from now
 */
export function nextLook(everyMs: number, failures: number, random: number): number {
  const pause = Math.min(everyMs * 2 ** failures, Math.max(LAST_MS, everyMs))
  return Math.round(pause * (1 - JITTER + 2 * JITTER * random))
}
