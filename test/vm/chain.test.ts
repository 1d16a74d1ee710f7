import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HandoverKind } from '../../agent/boot-record.ts'
import type { ChainProof } from '../support/chain-contract.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { proveChain } from '../support/prove-chain.ts'

const PROBE_LIMIT_BYTES = 1024 * 1024
/** What a machine of the usual 512 MiB has left at its lowest point. */
const SPARE_MIB = 100

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** What holds for every machine of a proven chain, whatever the architecture. */
function assertProven(
  { generations, setBytes, plasmd, lineageVerified, ...proof }: ChainProof,
  crossing: HandoverKind = 'carry',
): void {
  assert.deepEqual([plasmd, lineageVerified], ['own', true])
  for (const { machine, seconds, evidence, discoveredBy, handover, provenBy, rootfs, serviceManager } of generations) {
    assert.equal(provenBy, 'receipt')
    assert.equal(discoveredBy, 'mdns', `${machine} had to discover`)
    assert.equal(handover, crossing)
    assert.deepEqual([rootfs, serviceManager], [proof.rootfs, proof.serviceManager])
    const { bytesFromProvider, probeBytes, network, ...rest } = evidence
    assert.ok(network.mdnsCrossed > 0, `${machine}: no mDNS passed`)
    assert.deepEqual([network.mdnsDropped, network.originDropped, network.dhtBytes], [0, 0, 0])
    assert.deepEqual(rest, {
      kernelBanners: 2,
      resets: 0,
      nonceInServeStage: true,
      rootfs: proof.rootfs,
      bytesFromOthers: 0,
      servesSameSet: true,
      bootIdChanged: true,
    })
    assert.ok(bytesFromProvider >= setBytes, `${machine}: ${bytesFromProvider} bytes are less than the set`)
    assert.ok(probeBytes < PROBE_LIMIT_BYTES, `${machine}: ${probeBytes} bytes for asking`)
    const { total, discovery, looking, ...parts } = seconds
    assert.ok(discovery! < parts.fetchStage && looking! <= discovery!, `${machine}: ${discovery} s, ${looking} s`)
    const tenths = Object.values(parts).reduce((sum, part) => sum + Math.round(part * 10), 0)
    assert.equal(tenths, Math.round(total * 10), `${machine}: ${JSON.stringify(seconds)} do not sum up`)
  }
  assert.equal(new Set(generations.map(({ runId }) => runId)).size, generations.length, 'a run id each')
  assert.equal(new Set(generations.map(({ manifestDigest }) => manifestDigest)).size, 1, 'one set')
}

/** Who booted from whom: `vm1 (1) from origin (0)`. */
const lineage = ({ generations }: ChainProof) =>
  generations.map(
    ({ machine, generation, provider }) =>
      `${machine} (${generation}) from ${provider.machine} (${provider.generation})`,
  )

test('a machine with 384 MiB boots and becomes a provider', { skip }, async () => {
  const proof = await proveChain('--arch', 'x86_64', '--generations', '1', '--memory', '384')
  assertProven(proof)
  assert.deepEqual([proof.arch, ...lineage(proof)], ['x86_64', 'vm1 (1) from origin (0)'])
  const [{ memory }] = proof.generations as [ChainProof['generations'][number]]
  assert.ok(memory.totalMiB <= 384, `it has ${memory.totalMiB} MiB`)
})

test('an arm64 machine boots and becomes a provider', { skip }, async () => {
  const proof = await proveChain('--arch', 'arm64', '--generations', '1')
  assertProven(proof)
  assert.deepEqual([proof.arch, ...lineage(proof)], ['arm64', 'vm1 (1) from origin (0)'])
})

test('machines with the rootfs minimal switch to it and hand it on', { skip }, async () => {
  const proof = await proveChain('--generations', '2', '--rootfs', 'minimal')
  assertProven(proof)
  assert.deepEqual([proof.rootfs, proof.serviceManager], ['minimal', 'agent'])
  assert.deepEqual(lineage(proof), ['vm1 (1) from origin (0)', 'vm2 (2) from vm1 (1)'])
})

test('machines with the rootfs debian hand it on, and systemd restarts plasmd there', { skip }, async () => {
  const proof = await proveChain('--generations', '2', '--rootfs', 'debian', '--providers', 'last')
  assertProven(proof)
  assert.deepEqual([proof.rootfs, proof.serviceManager], ['debian', 'systemd'])
  assert.deepEqual(lineage(proof), ['vm1 (1) from origin (0)', 'vm2 (2) from vm1 (1)'])
})

test('a machine with too little memory to carry a rootfs across kexec fetches it afterwards', { skip }, async () => {
  const proof = await proveChain('--generations', '1', '--rootfs', 'minimal', '--memory', '336')
  assertProven(proof, 'refetch')
  assert.deepEqual(lineage(proof), ['vm1 (1) from origin (0)'])
})

test('a machine with a data disk runs a rootfs from it in 256 MiB', { skip }, async () => {
  const proof = await proveChain('--generations', '1', '--rootfs', 'minimal', '--disk', '1G', '--memory', '256')
  assertProven(proof, 'disk')
  assert.deepEqual(lineage(proof), ['vm1 (1) from origin (0)'])
})

test('with the origin gone, the second machine boots from the first', { skip }, async () => {
  const proof = await proveChain('--arch', 'x86_64', '--generations', '2', '--providers', 'last')
  assertProven(proof)
  assert.deepEqual([proof.arch, ...lineage(proof)], ['x86_64', 'vm1 (1) from origin (0)', 'vm2 (2) from vm1 (1)'])
  for (const { machine, memory } of proof.generations) {
    assert.ok(memory.lowestAvailableMiB >= SPARE_MIB, `${machine}: only ${memory.lowestAvailableMiB} MiB to spare`)
  }
})
