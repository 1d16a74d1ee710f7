/** How long a supervised plasmd may take for what, ms. */
export interface SupervisionLimits {
  /** Neither an answer nor a byte moved for so long, once it has answered: hung. */
  readonly hungAfter: number
  /** So long it may take to answer at first; a slow machine needs seconds to load it. */
  readonly startWithin: number
  /** From SIGTERM to SIGKILL; plasmd gives running transfers 10 s. */
  readonly killAfter: number
  readonly backoffFirst: number
  readonly backoffLast: number
  /** Up for so long: the next restart starts again from `backoffFirst`. */
  readonly provenAfter: number
}

export const SUPERVISION_LIMITS: SupervisionLimits = {
  // So that another one runs within 15 s: a look, its patience, the first pause and the start come on top.
  hungAfter: 7000,
  startWithin: 20_000,
  killAfter: 15_000,
  backoffFirst: 1000,
  backoffLast: 30_000,
  provenAfter: 60_000,
}

/** `hung`: SIGKILL is sent, its end is awaited. `stopping`: SIGTERM is sent. */
export type SupervisedPhase = 'stopped' | 'starting' | 'running' | 'hung' | 'backoff' | 'stopping'

export interface Supervised {
  readonly phase: SupervisedPhase
  readonly pid: number | null
  readonly startedAt: number | null
  /** When it last answered, or moved bytes. */
  readonly aliveAt: number
  /** Bytes it has written since it started, by the kernel's count; null when that cannot be told. */
  readonly written: number | null
  readonly restarts: number
  /** How its last run ended, in words. */
  readonly lastExit: string | null
  readonly backoff: number
  /** When a wait ends: the next start in `backoff`, SIGKILL in `stopping`. */
  readonly wakeAt: number | null
}

export type SupervisionEvent =
  | { readonly type: 'start' }
  | { readonly type: 'spawned'; readonly pid: number }
  | { readonly type: 'exited'; readonly how: string }
  /** An answer of any status counts: unhealthy is not hung. */
  | { readonly type: 'probed'; readonly answered: boolean; readonly written: number | null }
  | { readonly type: 'tick' }
  | { readonly type: 'stop' }

export type SupervisionAction =
  | { readonly do: 'spawn' }
  | { readonly do: 'kill'; readonly signal: 'SIGTERM' | 'SIGKILL' }

export const NOT_STARTED: Supervised = {
  phase: 'stopped',
  pid: null,
  startedAt: null,
  aliveAt: 0,
  written: null,
  restarts: 0,
  lastExit: null,
  backoff: 0,
  wakeAt: null,
}

interface Next {
  readonly state: Supervised
  readonly actions: readonly SupervisionAction[]
}

const SPAWN: SupervisionAction = { do: 'spawn' }
const TERMINATE: SupervisionAction = { do: 'kill', signal: 'SIGTERM' }
const KILL: SupervisionAction = { do: 'kill', signal: 'SIGKILL' }

/**
 * What to do about plasmd: pure, so that a table can show every case. Whoever calls it does the actions and brings the
 * events, a `tick` every now and then among them.
 * @param now milliseconds, any epoch, never going back
 */
export function supervise(
  state: Supervised,
  event: SupervisionEvent,
  now: number,
  limits: SupervisionLimits = SUPERVISION_LIMITS,
): Next {
  const stay: Next = { state, actions: [] }
  switch (event.type) {
    case 'start':
      return state.phase === 'stopped' ? spawn(state, now) : stay
    case 'spawned':
      return { state: { ...state, pid: event.pid }, actions: state.phase === 'stopping' ? [TERMINATE] : [] }
    case 'exited':
      return exited(state, event.how, now, limits)
    case 'probed':
      return probed(state, event, now, limits)
    case 'tick':
      return ticked(state, now, limits)
    case 'stop':
      return stop(state, now, limits)
  }
}

function spawn(state: Supervised, now: number): Next {
  const started = { phase: 'starting', pid: null, startedAt: now, aliveAt: now, written: null, wakeAt: null } as const
  return { state: { ...state, ...started }, actions: [SPAWN] }
}

function exited(state: Supervised, how: string, now: number, limits: SupervisionLimits): Next {
  const gone = { ...state, pid: null, startedAt: null, written: null, lastExit: how }
  if (state.phase === 'stopping' || state.phase === 'stopped') {
    return { state: { ...gone, phase: 'stopped', wakeAt: null }, actions: [] }
  }
  const proven = state.startedAt !== null && now - state.startedAt >= limits.provenAfter
  const backoff = proven || state.backoff === 0 ? limits.backoffFirst : Math.min(state.backoff * 2, limits.backoffLast)
  return { state: { ...gone, phase: 'backoff', backoff, wakeAt: now + backoff }, actions: [] }
}

function probed(
  state: Supervised,
  { answered, written }: { answered: boolean; written: number | null },
  now: number,
  limits: SupervisionLimits,
): Next {
  if (state.phase !== 'starting' && state.phase !== 'running') return { state, actions: [] }
  const alive = showsLife({ answered, written }, state.written)
  const phase = answered ? 'running' : state.phase
  const next = { ...state, phase, written, aliveAt: alive ? now : state.aliveAt }
  return ticked(next, now, limits)
}

/**
 * Whether a process lives, which one that moves bytes does: busy is not hung.
 * @param before what it had written by the look before, null where that cannot be told
 */
export function showsLife(
  { answered, written }: { readonly answered: boolean; readonly written: number | null },
  before: number | null,
): boolean {
  return answered || (before !== null && written !== null && written > before)
}

function ticked(state: Supervised, now: number, limits: SupervisionLimits): Next {
  const due = state.wakeAt !== null && now >= state.wakeAt
  switch (state.phase) {
    case 'starting':
    case 'running':
      return now - state.aliveAt < (state.phase === 'starting' ? limits.startWithin : limits.hungAfter)
        ? { state, actions: [] }
        : { state: { ...state, phase: 'hung' }, actions: [KILL] }
    case 'backoff':
      return due ? spawn({ ...state, restarts: state.restarts + 1 }, now) : { state, actions: [] }
    case 'stopping':
      return due ? { state: { ...state, wakeAt: now + limits.killAfter }, actions: [KILL] } : { state, actions: [] }
    case 'hung':
    case 'stopped':
      return { state, actions: [] }
  }
}

function stop(state: Supervised, now: number, limits: SupervisionLimits): Next {
  if (state.phase === 'stopping' || state.phase === 'stopped') return { state, actions: [] }
  if (state.phase === 'backoff') return { state: { ...state, phase: 'stopped', wakeAt: null }, actions: [] }
  const stopping = { ...state, phase: 'stopping', wakeAt: now + limits.killAfter } as const
  // Not spawned yet: `spawned` or `exited` follows, and `spawned` terminates it.
  return { state: stopping, actions: state.pid === null ? [] : [TERMINATE] }
}
