import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChainProof } from '../support/chain-contract.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { proveChain } from '../support/prove-chain.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** `vm2 from vm1 by dht`, and that nothing of a set came from anybody else. */
function lineage({ generations }: ChainProof): readonly string[] {
  return generations.map(({ machine, provider, discoveredBy, evidence }) => {
    assert.equal(evidence.bytesFromOthers, 0, machine)
    return `${machine} from ${provider.machine} by ${discoveredBy}`
  })
}

test('routed, by the DHT alone: each machine boots from a booted one on another segment', { skip }, async () => {
  const proof = await proveChain('--network', 'routed', '--discovery', 'dht', '--generations', '3')
  assert.deepEqual([proof.network, proof.discovery, proof.lineageVerified], ['routed', 'dht', true])
  const [first, second, third] = lineage(proof)
  assert.deepEqual([first, second], ['vm1 from origin by dht', 'vm2 from vm1 by dht'])
  assert.match(third!, /^vm3 from vm[12] by dht$/)
  for (const { machine, address, seconds, evidence } of proof.generations) {
    assert.equal(address, `192.168.${100 + Number(machine.slice(2))}.10`)
    const { multicastHeard, multicastCrossed, mdnsCrossed, dhtBytes } = evidence.network
    assert.ok(multicastHeard > 0 && dhtBytes > 0)
    assert.deepEqual([multicastCrossed, mdnsCrossed], [0, 0])
    assert.ok(seconds.looking! <= seconds.discovery!, `${machine} says how long it took to find`)
  }
})

test('routed, by their addresses: each machine boots from the one before it', { skip }, async () => {
  const proof = await proveChain('--network', 'routed', '--discovery', 'static', '--providers', 'last')
  assert.deepEqual(lineage(proof), ['vm1 from origin by static', 'vm2 from vm1 by static'])
  for (const { evidence } of proof.generations) assert.equal(evidence.network.multicastCrossed, 0)
})

test('an origin that serves on, and that vm2 cannot reach: vm2 boots from vm1', { skip }, async () => {
  const proof = await proveChain('--network', 'isolated-origin')
  assert.deepEqual(lineage(proof), ['vm1 from origin by mdns', 'vm2 from vm1 by mdns'])
  const [first, second] = proof.generations.map(({ evidence }) => evidence.network)
  assert.deepEqual([first!.originBytes > proof.setBytes, first!.originDropped], [true, 0])
  assert.deepEqual([second!.originBytes, second!.originDropped > 0], [0, true])
})
