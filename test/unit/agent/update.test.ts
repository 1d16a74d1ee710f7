import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { reasonToLeave } from '../../../agent/find-newer.ts'
import { judgeInstance } from '../../../agent/judge-instance.ts'
import type { UpdateStatus } from '../../../agent/status-file.ts'
import { describeUpdate, type UpdateResult } from '../../../agent/update-command.ts'
import { leaveRequest, takeRequest } from '../../../agent/update-request.ts'
import { nextLook } from '../../../agent/update-schedule.ts'
import { badText, updatesText } from '../../../agent/updates-view.ts'
import type { VerifiedManifest } from '../../../agent/verify.ts'

const MINUTE = 60_000
const NOW = Date.parse('2026-01-01T00:02:05Z')

test('machines do not look at the same moment, and less often while fetching fails', () => {
  const cases: ReadonlyArray<readonly [every: number, failures: number, random: number, expected: number]> = [
    [5 * MINUTE, 0, 0, 4 * MINUTE],
    [5 * MINUTE, 0, 0.5, 5 * MINUTE],
    [5 * MINUTE, 0, 1, 6 * MINUTE],
    [5 * MINUTE, 1, 0.5, 10 * MINUTE],
    [5 * MINUTE, 3, 0.5, 40 * MINUTE],
    [5 * MINUTE, 4, 0.5, 60 * MINUTE],
    [5 * MINUTE, 2000, 0.5, 60 * MINUTE],
    [120 * MINUTE, 3, 0.5, 120 * MINUTE],
  ]
  for (const [every, failures, random, expected] of cases) {
    assert.equal(nextLook(every, failures, random), expected, `${every} ${failures} ${random}`)
  }
})

test('only a newer set is a successor, and an unsigned one none of a signed one', () => {
  const set = (sequence: number, signedBy: readonly string[]) =>
    ({ manifest: { sequence }, signedBy }) as unknown as VerifiedManifest
  const served = set(5, ['a'])
  assert.equal(reasonToLeave(set(6, ['b']), served), undefined)
  assert.equal(reasonToLeave(set(5, ['a']), served), 'its sequence 5 is not above 5, which is served')
  assert.equal(reasonToLeave(set(4, ['a']), served), 'its sequence 4 is not above 5, which is served')
  assert.equal(reasonToLeave(set(6, []), served), 'it is not signed, and what is served is')
  assert.equal(reasonToLeave(set(6, []), set(5, [])), undefined)
})

test('an advertised sequence is known as a claim, and what is no number is none', () => {
  const wanted = { channel: 'stable', arch: 'x86_64', mode: 'internet' } as const
  const instance = (sequence: string) => ({
    label: 'plasmd-a',
    target: 'a.local',
    port: 8080,
    addresses: ['192.0.2.7'],
    sender: '192.0.2.7',
    txt: new Map([['sequence', sequence]]),
  })
  const claimed = (sequence: string) =>
    judgeInstance(instance(sequence) as Parameters<typeof judgeInstance>[0], wanted, new Set()).sequence
  assert.equal(claimed('12'), 12)
  for (const text of ['', '-1', '1e9', 'x', '9'.repeat(40)]) assert.equal(claimed(text), undefined, text)
})

test('a request is left once, taken once, and what is none is thrown away', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'plasm-request-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const request = { id: '5f0c1c5e-4b1f-4d53-9b43-3f8d9c3f5a11', action: 'apply' } as const
  const other = { id: '5f0c1c5e-4b1f-4d53-9b43-3f8d9c3f5a12', action: 'check' } as const
  assert.equal(await takeRequest(directory), undefined)
  assert.equal(await leaveRequest(directory, request), true)
  assert.equal(await leaveRequest(directory, other), false, 'the first one is not lost')
  assert.deepEqual(await takeRequest(directory), request)
  assert.equal(await takeRequest(directory), undefined)
  assert.deepEqual(readdirSync(directory), [])
  const file = join(directory, 'update-request.json')
  for (const text of ['', '{}', '[1]', JSON.stringify({ version: 1, ...request, more: 1 }), 'x'.repeat(9000)]) {
    writeFileSync(file, text)
    assert.equal(await takeRequest(directory), undefined, text.slice(0, 40))
  }
  mkdirSync(file)
  assert.equal(await takeRequest(directory), undefined)
  assert.deepEqual(readdirSync(directory), [])
  await assert.rejects(leaveRequest(join(directory, 'nowhere'), request), { code: 'ENOENT' })
})

const NEWEST = {
  sequence: 13,
  version: '0.2.0',
  manifestDigest: `sha256:${'ab'.repeat(32)}`,
  bytes: 50e6,
  providers: ['http://192.0.2.3:8080', 'http://192.0.2.4:8080'],
}
const LOOK = { at: '2026-01-01T00:01:05Z', found: 3, refused: [], error: null }
const IDLE: UpdateStatus = { lastLook: null, newest: null, fetching: null, nextLookAt: '', answers: [], bad: [] }

test('status says in one sentence what is known of newer sets', () => {
  const error = { code: 'store-full', message: 'no room', facts: {} }
  const refused = [
    { url: 'http://192.0.2.9:8080', reason: 'expired [manifest-expired]' },
    { url: 'http://192.0.2.8:8080', reason: 'x' },
  ]
  const cases: ReadonlyArray<readonly [Partial<UpdateStatus>, string]> = [
    [{}, 'not looked for yet'],
    [{ lastLook: LOOK }, 'none at 3 other providers; looked 1 min 0 s ago'],
    [{ lastLook: { ...LOOK, found: 1 } }, 'none at 1 other provider; looked 1 min 0 s ago'],
    [
      { lastLook: { ...LOOK, error: { ...error, code: 'no-provider' } } },
      'no other provider is in reach; looked 1 min 0 s ago',
    ],
    [
      { lastLook: { ...LOOK, refused } },
      'none at 3 other providers; turned down http://192.0.2.9:8080: expired [manifest-expired], and 1 more; looked 1 min 0 s ago',
    ],
    [
      { lastLook: { ...LOOK, error }, newest: NEWEST },
      'sequence 13 (0.2.0) is at http://192.0.2.3:8080, http://192.0.2.4:8080; not taken: no room [store-full]; looked 1 min 0 s ago',
    ],
    [
      { newest: NEWEST, fetching: { from: 'http://192.0.2.3:8080', bytes: 1024 * 1024, totalBytes: 50e6 } },
      'fetching sequence 13 from http://192.0.2.3:8080, 1.0 of 47.7 MiB',
    ],
  ]
  for (const [change, text] of cases) assert.equal(updatesText({ ...IDLE, ...change }, NOW), text)
})

test('status names a set that was booted in vain, and why', () => {
  const bad = { digest: NEWEST.manifestDigest, at: '2026-01-01T00:01:05Z', reason: 'not ready within 300 s' }
  assert.equal(badText(bad, NOW), 'sha256:abababababab: not ready within 300 s, 1 min 0 s ago; never taken again')
})

test('plasm-agent update answers in words', () => {
  const served = { sequence: 12, version: '0.1.0', manifestDigest: `sha256:${'cd'.repeat(32)}` }
  const result: UpdateResult = { outcome: 'up-to-date', served, newest: null, found: 2, refused: [] }
  assert.deepEqual(describeUpdate(result), [
    'up to date: sequence 12 (0.1.0) is served, none newer at 2 other providers',
  ])
  assert.deepEqual(describeUpdate({ ...result, outcome: 'newer', newest: NEWEST }), [
    'newer: sequence 13 (0.2.0) is at http://192.0.2.3:8080, http://192.0.2.4:8080; sequence 12 (0.1.0) is served',
    'it is fetched within minutes, or at once: plasm-agent update --apply',
  ])
  assert.match(describeUpdate({ ...result, outcome: 'booting' })[0]!, /^booting: a newer set was fetched; /)
  const refused = [{ url: 'http://192.0.2.9:8080', reason: 'expired [manifest-expired]' }]
  assert.deepEqual(describeUpdate({ ...result, outcome: 'applied', refused }), [
    'applied: sequence 12 (0.1.0) is served now',
    'turned down http://192.0.2.9:8080: expired [manifest-expired]',
  ])
})
