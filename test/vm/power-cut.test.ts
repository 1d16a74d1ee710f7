import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConsoleLine } from '../../host-harness/console.ts'
import type { Machine } from '../../host-harness/machine.ts'
import { consoleTail, makePowerGuest, type PowerGuest, powerLines } from '../support/power-guest.ts'

/** Power cuts in npm run faults, and those of them in npm test. */
const CUTS = process.env.PLASM_FULL_SWEEP === '1' ? 25 : 2
const MUTANT_TRIES = 3
const LINE_WITHIN_MS = 120_000

test('a store on a disk survives power cuts: it holds the old set or the new one, whole', async (t) => {
  const guest = await makeGuest(t)
  let allowed: readonly string[] = ['nothing']
  for (let cut = 1; cut <= CUTS; cut++) {
    const run = await runUntilCut(guest, Math.random)
    assert.ok(allowed.includes(run.held), `after cut ${cut - 1}: ${run.held}, not ${allowed.join(' or ')}`)
    t.diagnostic(`cut ${cut} after ${run.staged} sets, ${run.wasStaging ? 'while one more was staged' : 'between two'}`)
    allowed = run.mayHold
  }
  await using machine = await guest.start()
  const held = await holds(machine)
  assert.ok(allowed.includes(held), `after the last cut: ${held}, not ${allowed.join(' or ')}`)
})

test('an agent that does not sync its files is caught by that test', async (t) => {
  const guest = await makeGuest(t, { 'sync-file.ts': 'no-file-sync.ts' })
  for (let tries = 0; tries < MUTANT_TRIES; tries++) {
    const { held } = await runUntilCut(guest, () => 0)
    if (/ has (no|a wrong) /.test(held)) return t.diagnostic(held)
  }
  assert.fail('the power cuts did not show that files are not synced')
})

async function makeGuest(t: TestContext, replace?: Readonly<Record<string, string>>): Promise<PowerGuest> {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-power-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return makePowerGuest(dir, replace)
}

interface Run {
  /** What the store held after the cut before. */
  readonly held: string
  readonly staged: number
  readonly wasStaging: boolean
  /** What it may hold after this cut: what was staged last, or what was being staged. */
  readonly mayHold: readonly string[]
}

/**
 * Boots, lets one set be staged, and cuts the power (QEMU is killed) while another is, or as soon as it is.
 * @param when at which part of the time that staging takes; 0 is right after the first set
 */
async function runUntilCut(guest: PowerGuest, when: () => number): Promise<Run> {
  await using machine = await guest.start()
  const held = await holds(machine)
  const begun = await line(machine, /^staging /)
  const done = await line(machine, /^staged /)
  const part = when() * 1.3
  if (part > 0) {
    await line(machine, /^staging /, 2)
    await sleep(part * (done.at - begun.at))
  }
  await machine[Symbol.asyncDispose]()
  const said = powerLines(machine)
    .map(({ text }) => text)
    .filter((text) => text.startsWith('stag'))
  const digests = said.map((text) => text.split(' ')[1]!)
  const wasStaging = said.at(-1)!.startsWith('staging')
  const staged = said.filter((text) => text.startsWith('staged')).length
  // While the last line says `staged`, the next set's `staging` may be on its way to the console: it cannot be linked yet.
  return { held, staged, wasStaging, mayHold: wasStaging ? digests.slice(-2) : digests.slice(-1) }
}

const holds = async (machine: Machine) => (await line(machine, /^holds /)).text.slice('holds '.length)

/** @param nth which of the lines that fit, from 1 */
async function line(machine: Machine, wanted: RegExp, nth = 1): Promise<ConsoleLine> {
  for (const deadline = performance.now() + LINE_WITHIN_MS; performance.now() < deadline; await sleep(5)) {
    const found = powerLines(machine).filter(({ text }) => wanted.test(text))[nth - 1]
    if (found !== undefined) return found
    if (machine.ended()) break
  }
  throw new Error(`no line ${wanted} from the guest (${machine.ended() ?? 'it runs'}):\n${await consoleTail(machine)}`)
}
