import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PlasmdView, ServiceOwner } from '../../../agent/service-owner.ts'
import { type Expected, type Watched, watchedPlasmd } from '../../../agent/watched-plasmd.ts'

const LOOK_EVERY_MS = 2
const LIMIT_MS = 120
const NEVER = Number.POSITIVE_INFINITY
const GIVE_UP_MS = 10_000

/** What a manager and its plasmd do, for the test to change at any time. */
interface Played {
  pid: number | null
  answers: boolean
  written: number | null
  /** How long it may be silent, ms. */
  starting: number
  up: number
  /** What the manager says when it is asked. */
  error: Error | undefined
  phase: PlasmdView['state']
}

/** No manager misbehaves on demand: this one is the test's. */
function play(t: TestContext, first: Partial<Played> = {}) {
  const now: Played = {
    ...{ pid: 7, answers: true, written: 0, starting: NEVER, up: NEVER, error: undefined, phase: 'running' },
    ...first,
  }
  const seen = {
    looks: 0,
    starts: 0,
    killed: [] as number[],
    killedAt: 0,
    answeredAt: 0,
    replaced: [] as Array<readonly [before: number | null, hung: boolean]>,
    expected: [] as boolean[],
    failed: [] as string[],
  }
  let pid: number | null = null
  let phase = now.phase
  const owner = watchedPlasmd({
    managedBy: 'systemd',
    begin() {
      seen.starts += 1
    },
    async end() {
      pid = null
    },
    async read() {
      if (now.error) throw now.error
      pid = now.pid
      phase = now.phase
    },
    pid: () => pid,
    replaced: (before, hung) => seen.replaced.push([before, hung]),
    expected(answered): Expected {
      seen.expected.push(answered)
      return { counters: answered, silence: answered ? now.up : now.starting }
    },
    async probe(_, counters) {
      if (now.answers) seen.answeredAt = performance.now()
      const counted = now.answers && counters
      return {
        answered: now.answers,
        bytesServed: counted ? 5 : null,
        requests: counted ? 1 : null,
        written: now.written,
      }
    },
    kill(killed) {
      seen.killed.push(killed)
      seen.killedAt = performance.now()
    },
    looked(failed) {
      seen.looks += 1
      if (failed) seen.failed.push(failed.message)
    },
    state: ({ hung, begun, answered }: Watched) => {
      if (!begun) return 'stopped'
      if (hung) return 'hung'
      return phase === 'running' && !answered ? 'starting' : phase
    },
    pause: () => LOOK_EVERY_MS,
    told: () => ({ startedAt: null, restarts: 0, lastExit: null }),
  })
  t.after(() => owner.stop())
  return { now, seen, owner }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within ${GIVE_UP_MS} ms: ${what}`)
    await sleep(1)
  }
}

/** Whole looks that began from now on. */
const looks = async ({ seen }: { seen: { looks: number } }, count: number) => {
  const last = seen.looks + 1 + count
  await until(() => seen.looks >= last, `${count} looks`)
}
const isIn = (owner: ServiceOwner, state: PlasmdView['state']) => until(() => owner.view().state === state, state)

test('one that never answers is hung after what a start may take, and killed once', async (t) => {
  const played = play(t, { answers: false, starting: LIMIT_MS })
  const { owner, seen } = played
  const began = performance.now()
  owner.start()
  await isIn(owner, 'hung')
  assert.ok(seen.killedAt - began >= LIMIT_MS, `${seen.killedAt - began} ms`)
  await looks(played, 20)
  assert.deepEqual(seen.killed, [7])
  assert.ok(!seen.expected.includes(true))
})

test('one that was up and falls silent is hung after what one that is up may take, and its successor is not', async (t) => {
  const played = play(t, { up: LIMIT_MS })
  const { owner, seen, now } = played
  owner.start()
  await isIn(owner, 'running')
  await looks(played, 5)
  now.answers = false
  await isIn(owner, 'hung')
  assert.ok(seen.killedAt - seen.answeredAt >= LIMIT_MS, `${seen.killedAt - seen.answeredAt} ms`)
  Object.assign(now, { pid: 8, answers: true })
  await isIn(owner, 'running')
  assert.deepEqual(seen.replaced, [
    [null, false],
    [7, true],
  ])
  assert.equal(owner.view().pid, 8)
  assert.deepEqual(seen.killed, [7])
})

test('while its manager itself counts, silence is none of ours', async (t) => {
  const played = play(t, { answers: false, phase: 'starting' })
  played.owner.start()
  await sleep(2 * LIMIT_MS)
  await looks(played, 10)
  assert.deepEqual(played.seen.killed, [])
  assert.equal(played.owner.view().state, 'starting')
})

for (const [what, first] of [
  ['while it starts', { answers: false, starting: LIMIT_MS }],
  ['once it is up', { up: LIMIT_MS }],
] as const) {
  test(`moving byte counters count as alive ${what}, and those that stand still do not`, async (t) => {
    const played = play(t, first)
    const { owner, now, seen } = played
    // It has moved at every look, however late that comes.
    let moves = true
    let bytes = 0
    Object.defineProperty(now, 'written', { get: () => (moves ? ++bytes : bytes) })
    owner.start()
    await looks(played, 3)
    now.answers = false
    const silent = performance.now()
    await until(() => performance.now() - silent >= 3 * LIMIT_MS, 'it is silent for long')
    await looks(played, 3)
    assert.deepEqual(seen.killed, [])
    moves = false
    await isIn(owner, 'hung')
    assert.deepEqual(seen.killed, [7])
  })
}

test('a counter that cannot be told is no sign of life', async (t) => {
  const { owner, now, seen } = play(t, { answers: false, written: null, starting: LIMIT_MS })
  owner.start()
  await isIn(owner, 'hung')
  assert.equal(now.written, null)
  assert.deepEqual(seen.killed, [7])
})

test('a listener is called on a change of state or pid, and on nothing else', async (t) => {
  const played = play(t, { pid: null, phase: 'starting' })
  const { owner, now } = played
  const told: Array<readonly [string, number | null]> = []
  const end = owner.onChange(() => told.push([owner.view().state, owner.view().pid]))
  owner.start()
  await looks(played, 3)
  assert.deepEqual(told, [])
  now.pid = 7
  await looks(played, 3)
  now.phase = 'failed'
  await looks(played, 3)
  // It goes on to count bytes, and answers no more: neither is a change.
  Object.assign(now, { written: 900, answers: false })
  await looks(played, 3)
  now.pid = 8
  await looks(played, 3)
  assert.deepEqual(told, [
    ['starting', 7],
    ['failed', 7],
    ['failed', 8],
  ])
  end()
  now.pid = 9
  await looks(played, 3)
  assert.equal(told.length, 3)
})

test('asking twice starts it once, and its end is told of', async (t) => {
  const played = play(t)
  const { owner, seen } = played
  owner.start()
  owner.start()
  await isIn(owner, 'running')
  await until(() => owner.view().bytesServed === 5, 'counters')
  let told = 0
  owner.onChange(() => told++)
  await owner.stop()
  assert.equal(seen.starts, 1)
  assert.equal(told, 1)
  const { state, pid, bytesServed, requests } = owner.view()
  assert.deepEqual(
    { state, pid, bytesServed, requests },
    { state: 'stopped', pid: null, bytesServed: null, requests: null },
  )
})

test('a look that fails is said, and is not the last', async (t) => {
  const played = play(t)
  const { owner, seen, now } = played
  owner.start()
  await isIn(owner, 'running')
  now.error = new Error('no bus')
  await until(() => seen.failed.length >= 2, 'it fails')
  now.error = undefined
  const failures = seen.failed.length
  await looks(played, 3)
  assert.ok(seen.failed.length <= failures + 1)
  assert.deepEqual(new Set(seen.failed), new Set(['no bus']))
  assert.equal(owner.view().state, 'running')
})
