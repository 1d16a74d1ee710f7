import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discoveredLines } from '../../../agent/discover-view.ts'
import type { DhtOutcome, Discovered } from '../../../agent/survey.ts'

const claims = { generation: 1, sequence: 7, version: '1.2.3', load: 0, set: null }
const found = (url: string, peerId: string | null): Discovered => ({
  ...{ url, source: 'mdns', name: 'plasm-a', onLink: true, self: false, latencyMs: 3, verdict: 'first' },
  claims: { ...claims, peerId },
  verified: { sequence: 7, manifestDigest: `sha256:${'0'.repeat(64)}` },
})
const viewOf = (providers: readonly Discovered[], dht: DhtOutcome | null) => {
  const mdns = { answers: 1, malformed: 0, offLink: 0, turnedAway: 0 }
  return discoveredLines({ at: '', channel: 'stable', arch: 'arm64', mode: 'local', providers, mdns, dht }, false)
}
const linesOf = (...providers: Discovered[]) => viewOf(providers, null)

test('where several say that they are one peer, each one names the others', () => {
  const same = linesOf(found('http://a', 'P'), found('http://b', 'P'), found('http://c', 'Q')).filter((line) =>
    line.includes('same peer'),
  )
  assert.deepEqual(same, [
    '    says that it is the same peer as http://b',
    '    says that it is the same peer as http://a',
  ])
  assert.doesNotMatch(linesOf(found('http://a', null), found('http://b', null)).join(), /same peer/)
})

test('this machine itself is called so, comes last, and does not count', () => {
  const rejected = (url: string, reason: string): Discovered => {
    return { ...found(url, null), self: true, latencyMs: null, verified: null, verdict: `rejected: ${reason}` }
  }
  const own = rejected('http://192.0.2.1', '192.0.2.1 is this machine itself')
  const other = rejected('http://192.0.2.1:81', 'it serves channel testing, not stable')
  const lines = linesOf(own, other, found('http://192.0.2.2', null))
  assert.match(lines[0]!, /^1 provider of stable\/arm64, 1 to boot from/)
  assert.match(lines[1]!, /^http:\/\/192\.0\.2\.2 /)
  assert.equal(
    lines[lines.findIndex((line) => line.startsWith(`${own.url} `)) + 1],
    '    this machine itself, not counted',
  )
  assert.ok(lines.includes('    this machine itself, not counted; rejected: it serves channel testing, not stable'))
  assert.match(linesOf(own)[0]!, /^0 providers of /)
})

test('that the DHT could not be joined is told, with the reason for each node and what to do, also where somebody was found', () => {
  const problems = ['192.0.2.1:4001: nobody listens there', '192.0.2.2:4001: it does not answer within 2 s']
  for (const providers of [[], [found('http://a', 'P')]]) {
    const lines = viewOf(providers, { joined: false, problems })
    const at = lines.indexOf('the DHT could not be joined:')
    assert.deepEqual(
      lines.slice(at + 1, at + 3),
      problems.map((one) => `    ${one}`),
    )
    assert.match(lines[at + 3]!, /phase\.bootstrap=/)
  }
  assert.doesNotMatch(viewOf([], { joined: true, problems: [] }).join(), /DHT/)
})
