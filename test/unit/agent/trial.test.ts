import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { judgeTrial, type ThisBoot, type TrialVerdict, withBad } from '../../../agent/judge-trial.ts'
import { NO_TRIALS, readTrials, type Trial, type Trials, writeTrials } from '../../../agent/trial-file.ts'

const digest = (byte: string) => `sha256:${byte.repeat(32)}`
const TRIAL: Trial = {
  digest: digest('bb'),
  previous: digest('aa'),
  nonce: 'n2',
  fromBootId: 'old-kernel',
  withinMs: 300_000,
}
const ON_TRIAL: Trials = { trial: TRIAL, bad: [] }
const ITS_OWN: ThisBoot = { stage: 'serve', bootId: 'new-kernel', bootNonce: 'n2', uptimeMs: 20_000 }
const failed = (reason: string, here = false): TrialVerdict => ({ is: 'failed', trial: TRIAL, reason, here })

const cases: ReadonlyArray<readonly [name: string, trials: Trials, boot: Partial<ThisBoot>, verdict: TrialVerdict]> = [
  ['nothing is on trial', NO_TRIALS, {}, { is: 'none' }],
  ['nothing is on trial in the fetch stage', NO_TRIALS, { stage: 'fetch' }, { is: 'none' }],
  ['its own kernel has just started', ON_TRIAL, {}, { is: 'running', trial: TRIAL, leftMs: 280_000 }],
  ['its last moment', ON_TRIAL, { uptimeMs: 299_999 }, { is: 'running', trial: TRIAL, leftMs: 1 }],
  ['its time is over', ON_TRIAL, { uptimeMs: 300_000 }, failed('not ready within 300 s', true)],
  ['the kernel before it still runs', ON_TRIAL, { bootId: 'old-kernel', bootNonce: 'n1' }, { is: 'not-begun' }],
  ['that one runs for long', ON_TRIAL, { bootId: 'old-kernel', bootNonce: null, uptimeMs: 9e9 }, { is: 'not-begun' }],
  ['another kernel runs', ON_TRIAL, { bootNonce: 'n3' }, failed('left before it was ready')],
  ['a kernel runs that nobody kexeced', ON_TRIAL, { bootNonce: null }, failed('left before it was ready')],
  [
    'the boot medium',
    ON_TRIAL,
    { stage: 'fetch', bootNonce: null },
    failed('reset or switched off before it was ready'),
  ],
  [
    'the boot medium, on a command line with an old nonce',
    ON_TRIAL,
    { stage: 'fetch' },
    failed('reset or switched off before it was ready'),
  ],
]
for (const [name, trials, boot, verdict] of cases) {
  test(`a trial is judged: ${name}`, () => assert.deepEqual(judgeTrial(trials, { ...ITS_OWN, ...boot }), verdict))
}

test('a set that failed is remembered once, with the first reason; its marker stays while its kernel runs', () => {
  const now = new Date('2026-01-01T00:00:00Z')
  const here = withBad(ON_TRIAL, { is: 'failed', trial: TRIAL, reason: 'not ready within 300 s', here: true }, now)
  const known = { digest: TRIAL.digest, at: '2026-01-01T00:00:00.000Z', reason: 'not ready within 300 s' }
  assert.deepEqual(here, { trial: TRIAL, bad: [known] })
  const later = withBad(here, { is: 'failed', trial: TRIAL, reason: 'left', here: false }, new Date())
  assert.deepEqual(later, { trial: null, bad: [known] })
})

function stateDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'plasm-trials-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

test('trials are read as they were written; of many bad sets the newest are kept', async (t) => {
  const directory = stateDirectory(t)
  assert.deepEqual(await readTrials(directory), NO_TRIALS, 'a first boot')
  assert.deepEqual(await readTrials(join(directory, 'nowhere')), NO_TRIALS, 'no data disk')
  const bad = Array.from({ length: 100 }, (_, at) => ({
    digest: digest(at.toString(16).padStart(2, '0')),
    at: '2026-01-01T00:00:00Z',
    reason: 'r',
  }))
  await writeTrials(directory, { trial: TRIAL, bad })
  assert.deepEqual(await readTrials(directory), { trial: TRIAL, bad: bad.slice(36) })
})

test('what a newer agent adds is passed over: the one before it must be able to come back', async (t) => {
  const directory = stateDirectory(t)
  const trial = { ...TRIAL, more: 1 }
  writeFileSync(join(directory, 'trials.json'), JSON.stringify({ version: 1, trial, bad: [], more: [] }))
  assert.equal((await readTrials(directory)).trial?.digest, TRIAL.digest)
})

test('a damaged file is no leave to forget', async (t) => {
  const directory = stateDirectory(t)
  const file = join(directory, 'trials.json')
  const whole = { version: 1, trial: TRIAL, bad: [] }
  const damaged: readonly unknown[] = [
    '',
    '{}',
    'null',
    { ...whole, version: 2 },
    { ...whole, trial: undefined },
    { ...whole, trial: { ...TRIAL, digest: 'sha256:1' } },
    { ...whole, trial: { ...TRIAL, withinMs: 0 } },
    { ...whole, bad: {} },
    { ...whole, bad: [{ digest: digest('aa') }] },
    'x'.repeat(70_000),
  ]
  for (const content of damaged) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    writeFileSync(file, text)
    await assert.rejects(readTrials(directory), { code: 'freshness-state-invalid' }, text.slice(0, 80))
  }
  rmSync(file)
  mkdirSync(file)
  await assert.rejects(readTrials(directory), { code: 'freshness-state-invalid' })
})
