import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  NOT_STARTED,
  SUPERVISION_LIMITS,
  type Supervised,
  type SupervisionAction,
  type SupervisionEvent,
  supervise,
} from '../../../agent/supervise.ts'

const SPAWN = 'spawn'
const TERM = 'SIGTERM'
const KILL = 'SIGKILL'
const SPAWNED = { type: 'spawned', pid: 7 } as const
const answered = { type: 'probed', answered: true, written: 100 } as const
const silent = (written: number | null) => ({ type: 'probed', answered: false, written }) as const
const EXITED = { type: 'exited', how: 'exit code 1' } as const

type Line = readonly [
  seconds: number,
  event: SupervisionEvent | SupervisionEvent['type'],
  phase: string,
  ...actions: string[],
]

const name = (action: SupervisionAction) => (action.do === 'spawn' ? SPAWN : action.signal)

function play(lines: readonly Line[]): Supervised {
  let state = NOT_STARTED
  for (const [seconds, given, phase, ...actions] of lines) {
    const event = (typeof given === 'string' ? { type: given } : given) as SupervisionEvent
    const next = supervise(state, event, seconds * 1000)
    const where = `${JSON.stringify(event)} at ${seconds} s`
    assert.equal(next.state.phase, phase, where)
    assert.deepEqual(next.actions.map(name), actions, where)
    state = next.state
  }
  return state
}

const UP: readonly Line[] = [
  [0, 'start', 'starting', SPAWN],
  [0, SPAWNED, 'starting'],
  [1, answered, 'running'],
]

const CASES: Readonly<Record<string, readonly Line[]>> = {
  'asking twice starts it once': [...UP, [2, 'start', 'running']],
  'it waits 1, 2, 4 … 30 s between starts': [
    [0, 'start', 'starting', SPAWN],
    [0, EXITED, 'backoff'],
    [0.9, 'tick', 'backoff'],
    [1, 'tick', 'starting', SPAWN],
    [1, EXITED, 'backoff'],
    [2.9, 'tick', 'backoff'],
    [3, 'tick', 'starting', SPAWN],
    [3, EXITED, 'backoff'],
    [7, 'tick', 'starting', SPAWN],
    [7, EXITED, 'backoff'],
    [15, 'tick', 'starting', SPAWN],
    [15, EXITED, 'backoff'],
    [31, 'tick', 'starting', SPAWN],
    [31, EXITED, 'backoff'],
    [61, 'tick', 'starting', SPAWN],
    [61, EXITED, 'backoff'],
    [90.9, 'tick', 'backoff'],
    [91, 'tick', 'starting', SPAWN],
  ],
  'after a minute up it starts from 1 s again': [
    [0, 'start', 'starting', SPAWN],
    [0, EXITED, 'backoff'],
    [1, 'tick', 'starting', SPAWN],
    [1, SPAWNED, 'starting'],
    [2, answered, 'running'],
    [61, EXITED, 'backoff'],
    [62, 'tick', 'starting', SPAWN],
  ],
  'silent for 7 s is hung, and comes back after its end': [
    ...UP,
    [7.9, silent(100), 'running'],
    [8, silent(100), 'hung', KILL],
    [17, 'tick', 'hung'],
    [17, answered, 'hung'],
    [18, { type: 'exited', how: 'killed by SIGKILL' }, 'backoff'],
    [19, 'tick', 'starting', SPAWN],
  ],
  'moving byte counters count as alive': [
    ...UP,
    [7, silent(200), 'running'],
    [13, silent(300), 'running'],
    [19.9, silent(300), 'running'],
    [20, silent(300), 'hung', KILL],
  ],
  'a counter that cannot be read keeps nothing alive': [...UP, [8, silent(null), 'hung', KILL]],
  'one that never answers is hung too': [
    [0, 'start', 'starting', SPAWN],
    [0, SPAWNED, 'starting'],
    [19.9, 'tick', 'starting'],
    [20, 'tick', 'hung', KILL],
  ],
  'stop: SIGTERM, and SIGKILL after 15 s': [
    ...UP,
    [2, 'stop', 'stopping', TERM],
    [3, 'stop', 'stopping'],
    [16.9, 'tick', 'stopping'],
    [17, 'tick', 'stopping', KILL],
    [17, { type: 'exited', how: 'killed by SIGKILL' }, 'stopped'],
    [60, 'tick', 'stopped'],
  ],
  'a stop while it is being started ends it as soon as it is there': [
    [0, 'start', 'starting', SPAWN],
    [0, 'stop', 'stopping'],
    [0, SPAWNED, 'stopping', TERM],
    [1, EXITED, 'stopped'],
  ],
  'a stop while it waits ends the waiting': [
    [0, 'start', 'starting', SPAWN],
    [0, EXITED, 'backoff'],
    [0, 'stop', 'stopped'],
    [9, 'tick', 'stopped'],
  ],
}

for (const [title, lines] of Object.entries(CASES)) test(title, () => void play(lines))

test('restarts are counted, and how the last run ended is kept', () => {
  const state = play([...UP, [5, EXITED, 'backoff'], [6, 'tick', 'starting', SPAWN]])
  assert.deepEqual([state.restarts, state.lastExit, state.pid], [1, 'exit code 1', null])
})

test('the limits are those of DESIGN and the issue', () => {
  assert.deepEqual(SUPERVISION_LIMITS, {
    hungAfter: 7000,
    startWithin: 20_000,
    killAfter: 15_000,
    backoffFirst: 1000,
    backoffLast: 30_000,
    provenAfter: 60_000,
  })
})
