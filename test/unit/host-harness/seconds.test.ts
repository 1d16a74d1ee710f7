import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discoveryMarks, secondsOf } from '../../../host-harness/seconds.ts'

test('the parts sum to the total to the tenth, wherever the marks fall', () => {
  for (let shift = 0; shift < 500; shift += 1) {
    const marks = {
      qemuStarted: 12_345.6,
      firstBanner: 13_100 + shift * 7.3,
      kexecLine: 20_000 + shift * 11.9,
      secondBanner: 27_000 + shift * 13.1,
      ready: 40_000 + shift * 17.7,
      discovery: null,
    }
    const { total, discovery: _, looking: __, ...parts } = secondsOf(marks)
    const tenths = Object.values(parts).map((seconds) => Math.round(seconds * 10))
    assert.equal(
      tenths.reduce((sum, part) => sum + part, 0),
      Math.round(total * 10),
    )
    assert.ok(Math.abs(total * 1000 - (marks.ready - marks.qemuStarted)) <= 50)
  }
})

const MARKS = { qemuStarted: 0, firstBanner: 1000, kexecLine: 9000, secondBanner: 9500, ready: 20_000 }
const candidate = { type: 'candidate', url: 'http://192.168.77.2:8080', source: 'mdns', generation: 0 } as const

test('discovery takes from the network to the first provider that is chosen', () => {
  const marks = discoveryMarks([
    { uptime: 2.5, event: { type: 'network-up', addresses: ['192.168.77.11'], uptime: 2.1 } },
    { uptime: 2.7, event: { type: 'step-started', stage: 'fetch', step: 'discover' } },
    { uptime: 2.9, event: { ...candidate, verdict: 'found' } },
    { uptime: 3.4, event: { ...candidate, verdict: 'chosen' } },
    { uptime: 7.4, event: { ...candidate, verdict: 'chosen' } },
  ])
  assert.deepEqual(marks, { networkUp: 2.1, looked: 2.7, chosen: 3.4 })
  const { discovery, looking } = secondsOf({ ...MARKS, discovery: marks })
  assert.deepEqual([discovery, looking], [1.3, 0.7])
})

test('a machine that did not say when its network was up leaves it open', () => {
  assert.equal(discoveryMarks([{ uptime: 3.4, event: { ...candidate, verdict: 'chosen' } }]), null)
  const { discovery, looking } = secondsOf({ ...MARKS, discovery: null })
  assert.deepEqual([discovery, looking], [null, null])
})

test('an agent that looks before there is a network looks from then', () => {
  const { discovery, looking } = secondsOf({ ...MARKS, discovery: { networkUp: 3, looked: 2, chosen: 4.2 } })
  assert.deepEqual([discovery, looking], [1.2, 1.2])
})
