import type { Candidate } from './candidate.ts'

/**
 * A candidate that is reached by a link-local address has its host's name in its URL, and anybody can give that name: where another one
 * at another address has the URL already, the address is put into it, so that the one does not hide the other.
 * @param others those that were told of before
 */
export function tellApart<T extends Candidate>(candidate: T, others: readonly Candidate[]): T {
  const { url, reach } = candidate
  if (reach === undefined || !others.some((other) => other.url === url && other.reach !== reach)) return candidate
  const digits = reach.replace(/%.*/, '').replaceAll(':', '')
  return { ...candidate, url: url.replace('.local:', `-${digits}.local:`) }
}
