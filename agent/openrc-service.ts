import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PlasmdView } from './service-owner.ts'

/** Where OpenRC keeps what it knows (librc: RC_SVCDIR). */
const SERVICE_DIRECTORY = '/run/openrc'
const SCRIPTS = '/etc/init.d'

/** What OpenRC and its supervise-daemon say about a service (openrc-run(8), supervise-daemon(8)). */
export interface OpenrcService {
  /** `failed`: it ended so often that supervise-daemon has given up. */
  readonly marked: 'stopped' | 'starting' | 'started' | 'failed'
  /** pid of its supervise-daemon, while that lives. */
  readonly supervisor: number | null
  /** Its own pid, while it lives; supervise-daemon names it until the next one. */
  readonly child: number | null
  /** RFC 3339. */
  readonly startedAt: string | null
}

/** Other places than the machine's are for tests. */
export interface OpenrcPlaces {
  readonly services?: string
  readonly scripts?: string
  readonly proc?: string
}

export const NOT_STARTED_BY_OPENRC: OpenrcService = {
  marked: 'stopped',
  supervisor: null,
  child: null,
  startedAt: null,
}

/** Whether OpenRC has booted this machine, has started this agent, and supervises plasmd. */
export function openrcRuns(
  environment: NodeJS.ProcessEnv = process.env,
  { services = SERVICE_DIRECTORY, scripts = SCRIPTS }: OpenrcPlaces = {},
): boolean {
  if (environment.RC_SVCNAME === undefined || !existsSync(join(services, 'softlevel'))) return false
  return /^supervisor=["']?supervise-daemon\b/m.test(read(join(scripts, 'plasmd')) ?? '')
}

export function readService(
  name: string,
  { services = SERVICE_DIRECTORY, proc = '/proc' }: OpenrcPlaces = {},
): OpenrcService {
  const is = (mark: string) => existsSync(join(services, mark, name))
  const value = (option: string) => read(join(services, 'options', name, option))?.trim() || undefined
  /** A pid comes round again; a zombie has no command line. */
  const living = (pid: string | undefined, word: string) =>
    pid !== undefined && read(join(proc, pid, 'cmdline'))?.includes(word) ? Number(pid) : null
  const pidFile = value('pidfile')
  const child = living(value('child_pid'), name)
  return {
    // It is marked as stopped and as failed at once.
    marked: is('started') ? 'started' : is('starting') ? 'starting' : is('failed') ? 'failed' : 'stopped',
    supervisor: living(pidFile && read(pidFile)?.trim(), 'supervise-daemon'),
    child,
    startedAt: child === null ? null : fromLocalTime(value('start_time')),
  }
}

/** OpenRC's words in ours. */
export function openrcPhase({ marked, child }: OpenrcService, answers: boolean): PlasmdView['state'] {
  if (marked !== 'started') return marked
  if (child === null) return 'backoff'
  return answers ? 'running' : 'starting'
}

/** supervise-daemon writes `2026-11-25 13:57:39`, in this machine's time zone. */
function fromLocalTime(text: string | undefined): string | null {
  const milliseconds = Date.parse(text?.replace(' ', 'T') ?? '')
  return Number.isNaN(milliseconds) ? null : new Date(milliseconds).toISOString()
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
}
