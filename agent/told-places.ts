import type { Candidate, RejectedCandidate } from './candidate.ts'
import type { Consider } from './source.ts'

type Told = Candidate | RejectedCandidate

/** What was told of each instance, and not taken back. */
export interface ToldPlaces {
  /** Of all instances but one. */
  ofOthers(label: string): readonly Told[]
  /**
   * Tells of the places of an instance that are new, and takes back those that are no longer among them.
   * @param next all that hold from now on, given what held so far
   * @param why a place is no longer one; where it is told as rejected now, its own reason is
   */
  update(label: string, next: (before: readonly Told[]) => readonly Told[], why: string): void
}

export function createToldPlaces(consider: Consider): ToldPlaces {
  const told = new Map<string, readonly Told[]>()
  const takeBack = (one: Told, reason: string) => {
    consider(withdrawn(one, reason))
    // Two may tell of one place, and one of them be a liar.
    for (const other of [...told.values()].flat()) {
      if (!('reason' in other) && other.url === one.url) consider(other)
    }
  }
  return {
    ofOthers: (label) => [...told].flatMap(([other, places]) => (other === label ? [] : places)),
    update(label, next, why) {
      const before = told.get(label) ?? []
      const places = next(before)
      if (places.length > 0) told.set(label, places)
      else told.delete(label)
      const at = (some: readonly Told[], { url }: Told) => some.find((one) => one.url === url)
      for (const one of before) {
        const now = at(places, one)
        if (!now || 'reason' in now) takeBack(one, now?.reason ?? why)
      }
      for (const one of places) {
        const isToldSo = before.includes(one) || ('reason' in one && at(before, one))
        if (!isToldSo) consider(one)
      }
    },
  }
}

/** Where an advertisement was no candidate before, there is nothing to take back. */
function withdrawn(before: Told, reason: string): RejectedCandidate {
  return 'reason' in before ? { ...before, reason } : { ...before, reason, withdrawn: true }
}
