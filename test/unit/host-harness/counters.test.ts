import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guestPlace, ORIGIN } from '../../../host-harness/addresses.ts'
import { counterRules } from '../../../host-harness/counter-rules.ts'
import { networkEvidence, receivedBytes } from '../../../host-harness/counters.ts'
import { lanOf, type NetworkPlan, participantsOf } from '../../../host-harness/topology.ts'

const [VM1, VM2] = [guestPlace(1), guestPlace(2)]
const LAN = lanOf([VM1, VM2])
const PARTICIPANTS = participantsOf(LAN)
const ROUTED: NetworkPlan = {
  ...{ network: 'routed', discovery: 'dht', guests: [guestPlace(1, true), guestPlace(2, true)], bystanders: [] },
}

test('there is one rule for each ordered pair, and one for the rest that each gets', () => {
  const rules = counterRules(LAN)
  assert.match(rules, /^table bridge plasm \{$/m)
  assert.equal(rules.match(/tcp sport 8080 counter name \w+_to_\w+ accept/g)?.length, 6)
  assert.equal(rules.match(/counter name stray_to_\w+$/gm)?.length, 3)
  assert.match(
    rules,
    /ip saddr 192\.168\.77\.11 ip daddr 192\.168\.77\.12 tcp sport 8080 counter name vm1_to_vm2 accept/,
  )
})

test('on a plain bridge nothing is dropped, and the port of the DHT is a stray one', () => {
  assert.doesNotMatch(counterRules(LAN), / drop$|4001/m)
})

test('a bystander is counted apart, too', () => {
  const rogue = { name: 'rogue', address: '192.168.77.201', gateway: ORIGIN.gateway, port: 'to-rogue' }
  const rules = counterRules({ ...LAN, bystanders: [rogue] })
  assert.equal(rules.match(/tcp sport 8080 counter name \w+_to_\w+ accept/g)?.length, 12)
})

test("between segments packets pass the router's hook, with each machine's own addresses", () => {
  const rules = counterRules(ROUTED)
  assert.match(rules, /^table inet plasm \{$/m)
  assert.match(
    rules,
    /iifname "tap1" oifname "tap2" ip saddr 192\.168\.101\.10 ip daddr 192\.168\.102\.10 tcp sport 8080 counter name vm1_to_vm2/,
  )
  assert.match(rules, /oifname "tap2" tcp sport 4001 counter name dht_to_vm2 accept/)
})

for (const [discovery, drops] of [
  ['mdns', false],
  ['dht', true],
  ['static', true],
  ['auto', false],
] as const) {
  test(`with discovery ${discovery} mDNS ${drops ? 'is dropped' : 'passes'}`, () => {
    const rules = counterRules({ ...LAN, discovery })
    assert.equal(/udp dport 5353 counter name mdns_dropped drop/.test(rules), drops)
    assert.match(rules, /udp dport 5353 counter name mdns_crossed$/m)
  })
}

test('away from the origin are vm2 and later ones, in both directions', () => {
  const rules = counterRules({ ...LAN, network: 'isolated-origin' })
  assert.deepEqual(
    rules.match(/.*kept_from_\w+ drop$/gm)?.map((rule) => rule.trim()),
    [
      'iifname "to-origin" oifname "tap2" counter name origin_kept_from_vm2 drop',
      'iifname "tap2" oifname "to-origin" counter name origin_kept_from_vm2 drop',
    ],
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

test('what shows how the network is is packets, bytes where they matter', () => {
  const json = listed({
    ...{ multicast_heard: 7, multicast_crossed: 8, mdns_crossed: 9, mdns_dropped: 10 },
    ...{ origin_with_vm2: 11, origin_kept_from_vm2: 12, dht_to_vm2: 13 },
  })
  assert.deepEqual(networkEvidence(json, VM2), {
    ...{ multicastHeard: 1, multicastCrossed: 1, mdnsCrossed: 1, mdnsDropped: 1 },
    ...{ originBytes: 11, originDropped: 1, dhtBytes: 13 },
  })
})

test('a counter that is not there is an error, not zero', () => {
  assert.throws(() => receivedBytes(listed({ vm1_to_vm2: 20, stray_to_vm2: 0 }), VM2, PARTICIPANTS), {
    code: 'counters-failed',
  })
})
