import type { PlasmdView, ServiceManager } from './service-owner.ts'

/** Who starts plasmd again, for people. */
export const keeper = (managedBy: ServiceManager): string => (managedBy === 'agent' ? 'the agent' : managedBy)

/**
 * Why a machine whose plasmd no longer runs is not ready: one sentence. It stays until there is another reason, and so has no
 * seconds in it; those are in the row that `plasm-agent status` has for plasmd.
 */
export function plasmdLost(
  { state, lastExit }: Pick<PlasmdView, 'state' | 'lastExit'>,
  managedBy: ServiceManager,
): string {
  const ended = lastExit === null ? '' : ` (${lastExit})`
  switch (state) {
    case 'backoff':
      return `plasmd ended${ended}; ${keeper(managedBy)} starts it again`
    case 'starting':
      return `plasmd ended${ended}; another one is starting`
    case 'hung':
      return 'plasmd has hung, and is killed and started again'
    case 'failed':
      return `${keeper(managedBy)} has given up on plasmd${ended}`
    case 'stopped':
      return 'plasmd was stopped'
    case 'running':
      return 'plasmd runs'
  }
}
