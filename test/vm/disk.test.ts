import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256File } from '../../images/files.ts'
import { bootDisk } from '../support/disk-boot.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { keptMachine } from '../support/kept-machine.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

test('sets cross kexec on a disk, which outlives the power and is left alone where nobody may write to it', {
  skip,
}, async (t) => {
  const { proof, runDir } = await chainOnDisks()
  t.after(() => rm(runDir, { recursive: true, force: true }))
  const [, second] = proof.generations
  assert.deepEqual(
    proof.generations.map(({ handover, provenBy, provider }) => [handover, provenBy, provider.machine]),
    [
      ['disk', 'receipt', 'origin'],
      ['disk', 'receipt', 'vm1'],
    ],
  )
  // The power of both was cut: the journals hold what a mount for reading would replay.
  const disk = join(runDir, 'disks/vm2')
  const before = await sha256File(disk)
  const boot = (origin: boolean, ...parameters: string[]) => bootDisk({ disk, number: 2, origin, parameters })

  await t.test('phase.nowrite=true: it boots and serves, and no byte of the disk changes', async () => {
    const { record, mounts } = await boot(true, 'phase.nowrite=true')
    assert.deepEqual([record?.handover, record?.provider.discoveredBy], ['carry', 'mdns'])
    assert.ok(!mounts.includes('/dev/vd'), mounts)
    assert.equal(await sha256File(disk), before)
  })

  await t.test('phase.mode=private: the same, and it serves nothing', async () => {
    const { mounts } = await boot(true, 'phase.mode=private')
    assert.ok(!mounts.includes('/dev/vd'), mounts)
    assert.equal(await sha256File(disk), before)
  })

  await t.test('with no provider in reach it boots from the disk, and serves the same set', async (t) => {
    const found = await boot(false)
    t.diagnostic(`\n${found.status}\n${found.doctor}`)
    assert.deepEqual(found.differences, [])
    assert.deepEqual(
      [found.servedDigest, found.record?.set.manifestDigest],
      [second?.manifestDigest, second?.manifestDigest],
    )
    assert.deepEqual([found.record?.handover, found.record?.provider.discoveredBy], ['disk', 'cache'])
    assert.equal(found.record?.provider.url, second?.provider.url)
    assert.deepEqual([found.record?.generation, found.lineage], [2, 2])
    assert.equal(found.peerId, second?.peerId)
    assert.match(found.mounts, /^\/dev\/vda \/var\/lib\/plasm ext4 rw/m)
    assert.match(found.status, /^disk +\/dev\/vda, \d+ of \d+ MiB free$/m)
    assert.match(found.doctor, /^fine +disk +\/dev\/vda/m)
  })
})

/** Two machines that have been proven and whose power is cut then. */
async function chainOnDisks() {
  await using chain = await keptMachine('--generations', '2', '--disk', '2G')
  return { proof: chain.proof, runDir: chain.runDir }
}
