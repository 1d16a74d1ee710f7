import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guestPlace, ORIGIN } from '../../../host-harness/addresses.ts'
import { counterRules, receivedBytes } from '../../../host-harness/counters.ts'

const [VM1, VM2] = [guestPlace(1), guestPlace(2)]
const PARTICIPANTS = [ORIGIN, VM1, VM2]

test('there is one rule for each ordered pair, and one for the rest that each gets', () => {
  const rules = counterRules(PARTICIPANTS)
  assert.equal(rules.match(/counter name \w+_to_\w+ accept/g)?.length, 6)
  assert.equal(rules.match(/counter name stray_to_\w+$/gm)?.length, 3)
  assert.match(
    rules,
    /ip saddr 192\.168\.77\.11 ip daddr 192\.168\.77\.12 tcp sport 8080 counter name vm1_to_vm2 accept/,
  )
})

const listed = (counters: Record<string, number>) =>
  JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6' } },
      ...Object.entries(counters).map(([name, bytes]) => ({ counter: { family: 'bridge', name, packets: 1, bytes } })),
    ],
  })

test("a machine's bytes are told apart by who sent them", () => {
  const json = listed({ origin_to_vm2: 10, vm1_to_vm2: 20, stray_to_vm2: 3, vm2_to_vm1: 99, stray_to_vm1: 98 })
  assert.deepEqual(receivedBytes(json, VM2, PARTICIPANTS), {
    pairs: [
      { provider: 'origin', bytes: 10 },
      { provider: 'vm1', bytes: 20 },
    ],
    strayBytes: 3,
  })
})

test('a counter that is not there is an error, not zero', () => {
  assert.throws(() => receivedBytes(listed({ vm1_to_vm2: 20, stray_to_vm2: 0 }), VM2, PARTICIPANTS), {
    code: 'counters-failed',
  })
})
