import type { AgentEvent } from './events.ts'

export interface PendingReport {
  readonly event: AgentEvent
  /** Seconds since the kernel started, when it happened. */
  readonly uptime: number
}

/**
 * What waits for a harness that does not answer, oldest first. At the limit progress goes first, then the oldest: what
 * came last says most about where a machine stands.
 */
export function enqueue(queue: readonly PendingReport[], next: PendingReport, limit: number): readonly PendingReport[] {
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
