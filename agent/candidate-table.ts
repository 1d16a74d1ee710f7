import { isIP } from 'node:net'
import { isOnOwnLink } from '../service/own-links.ts'
import { hostAndPort } from '../service/url-host.ts'
import type { Candidate } from './candidate.ts'
import type { Consider } from './source.ts'

/** What all the ways of looking have found together, one candidate for each URL. */
export interface CandidateTable {
  readonly consider: Consider
  candidates(): readonly Candidate[]
  /** When each candidate came, milliseconds of `performance.now()`. */
  arrivals(): ReadonlyArray<{ readonly url: string; readonly at: number; readonly generation: number | null }>
  /** URL -> reason. */
  rejections(): ReadonlyMap<string, string>
}

/** @param onFound told of every candidate once, and of every new rejection */
export function createCandidateTable(onFound: Consider): CandidateTable {
  const found = new Map<string, Candidate & { readonly at: number }>()
  const rejected = new Map<string, string>()
  return {
    consider(candidate) {
      const { url } = candidate
      if ('reason' in candidate) {
        // A place that is good for something stays so, whatever else is said of it: it may serve another architecture, too.
        const isWithdrawn = candidate.withdrawn && found.get(url)?.source === candidate.source
        if (found.has(url) && !isWithdrawn) return
        found.delete(url)
        if (rejected.get(url) === candidate.reason) return
        rejected.set(url, candidate.reason)
        onFound(candidate)
        return
      }
      rejected.delete(url)
      const before = found.get(url)
      const merged = before ? learn(before, candidate) : candidate
      if (merged === before) return
      const whole = { ...merged, onLink: merged.onLink ?? isOnLink(merged) }
      // Whoever tells of it again and again does not put off the end of the search.
      const isAsBefore =
        before !== undefined && merged.source === before.source && merged.generation === before.generation
      found.set(url, { ...whole, at: isAsBefore ? before.at : performance.now() })
      if (!before) onFound(whole)
    },
    candidates: () => [...found.values()].map(({ at: _, ...candidate }) => candidate),
    arrivals: () => [...found.values()],
    rejections: () => rejected,
  }
}

/**
 * What was named on the command line stays so, but learns from an advertisement of the same place. That somebody was there before
 * is the least to say of one who says now that it is. Of what the same machine claims the latest counts: its load is told anew.
 */
function learn(before: Candidate, candidate: Candidate): Candidate {
  const source = before.source === 'known' ? candidate.source : before.source
  if (candidate.generation === null) return source === before.source ? before : { ...before, source }
  if (before.generation === null) return { ...candidate, source }
  const isSame = before.name === candidate.name && before.generation === candidate.generation
  if (isSame) return { ...before, ...candidate, source }
  return source === before.source ? before : { ...before, source }
}

/** Undefined where a name says nothing about it. */
function isOnLink({ url }: Candidate): boolean | undefined {
  const { host } = hostAndPort(new URL(url))
  return isIP(host) === 0 ? undefined : isOnOwnLink(host)
}
