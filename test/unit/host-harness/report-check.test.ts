import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { checkReport, type LastReport, type Posted } from '../../../host-harness/report-check.ts'
import { makeNodeKey } from '../../../service/node-key.ts'

const ENROLLED = [
  { runId: 'run-1', token: 'token-1', address: '192.168.77.11' },
  { runId: 'run-2', token: 'token-2', address: '192.168.77.12' },
]
const EVENT = { type: 'stage-started', stage: 'fetch', version: '1', commit: 'c' }
const REPORT = {
  version: 1,
  runId: 'run-1',
  machine: 'm',
  bootId: 'boot-1',
  seq: 3,
  events: [{ uptime: 1, event: EVENT }],
}

function posted(report: unknown, token = 'token-1', from = '192.168.77.11'): Posted {
  const body = Buffer.from(typeof report === 'string' ? report : JSON.stringify(report))
  return { body, signature: `sha256=${createHmac('sha256', token).update(body).digest('hex')}`, from }
}

const check = (what: Posted, last?: LastReport) => checkReport(what, ENROLLED, () => last)
const why = (what: Posted, last?: LastReport) => {
  const checked = check(what, last)
  return checked.kind === 'refused' ? checked.why : checked.kind
}

test('a signed report from its machine is accepted', () => {
  const checked = check(posted(REPORT))
  assert.equal(checked.kind, 'accepted')
  assert.deepEqual(checked.kind === 'accepted' && [checked.report, checked.machine.runId], [REPORT, 'run-1'])
})

test('a forged one is not', () => {
  const { body, from, signature } = posted(REPORT)
  assert.equal(why(posted(REPORT, 'token-2')), 'forged', "another machine's token")
  assert.equal(why({ body, from, signature: undefined }), 'forged')
  assert.equal(why({ body, from, signature: '' }), 'forged')
  assert.equal(why({ body, from, signature: `${signature}0` }), 'forged')
  const altered = Buffer.from(body.toString().replace('"seq":3', '"seq":4'))
  assert.equal(why({ body: altered, from, signature }), 'forged')
})

test('a report of no run here, or from another address, is refused', () => {
  assert.equal(why(posted({ ...REPORT, runId: 'run-9' })), 'unknown-run')
  assert.equal(why(posted({ ...REPORT, runId: null })), 'unknown-run')
  assert.equal(why(posted(REPORT, 'token-1', '192.168.77.12')), 'wrong-address')
})

test('numbers rise within a boot; the same report again is a repetition, another under its number a replay', () => {
  const accepted = check(posted(REPORT))
  assert.ok(accepted.kind === 'accepted')
  const last = { seq: 3, digest: accepted.digest }
  assert.equal(why(posted({ ...REPORT, seq: 4 }), last), 'accepted')
  assert.equal(why(posted(REPORT), last), 'repeated')
  assert.equal(why(posted({ ...REPORT, events: [{ uptime: 2, event: EVENT }] }), last), 'replayed')
  assert.equal(why(posted({ ...REPORT, seq: 2 }), last), 'replayed')
})

test('what is no report is malformed', () => {
  for (const text of ['', 'null', '[]', '{', '{"version":2}', JSON.stringify({ ...REPORT, seq: '3' })]) {
    assert.equal(why(posted(text)), 'malformed', text)
  }
  const { events: _, ...without } = REPORT
  assert.equal(why(posted(without)), 'malformed')
  assert.equal(why(posted({ ...REPORT, events: [] })), 'malformed')
  assert.equal(why(posted({ ...REPORT, events: [{ uptime: 1, event: {} }] })), 'malformed')
})

test('a machine is the peer that its first signed report says, and no other machine is', () => {
  const [one, other] = [makeNodeKey().peerId, makeNodeKey().peerId]
  const whyOf = (peerId: unknown, peers: ReadonlyMap<string, string>) => {
    const checked = checkReport(posted({ ...REPORT, peerId }), ENROLLED, () => undefined, peers)
    return checked.kind === 'refused' ? checked.why : checked.kind
  }
  assert.equal(whyOf(one, new Map()), 'accepted')
  assert.equal(whyOf(one, new Map([['run-1', one]])), 'accepted')
  assert.equal(whyOf(null, new Map([['run-1', one]])), 'accepted', 'a report may leave it out')
  assert.equal(whyOf(other, new Map([['run-1', one]])), 'other-peer')
  assert.equal(whyOf(one, new Map([['run-2', one]])), 'other-peer', "another machine's")
  assert.equal(whyOf('me', new Map()), 'malformed')
  assert.equal(whyOf(7, new Map()), 'malformed')
})
