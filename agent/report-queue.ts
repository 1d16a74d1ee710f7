import type { TimedEvent } from './events.ts'

/**
 * What waits for a harness that does not answer, oldest first. At the limit progress goes first, then the oldest: what
 * came last says most about where a machine stands.
 */
export function enqueue(queue: readonly TimedEvent[], next: TimedEvent, limit: number): readonly TimedEvent[] {
  const last = queue.at(-1)
  const coalesces = next.event.type === 'progress' && last?.event.type === 'progress'
  const joined = coalesces ? [...queue.slice(0, -1), next] : [...queue, next]
  if (joined.length <= limit) return joined
  const expendable = Math.max(
    joined.findIndex(({ event }) => event.type === 'progress'),
    0,
  )
  return joined.toSpliced(expendable, 1)
}
