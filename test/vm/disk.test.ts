import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { StepName } from '../../agent/events.ts'
import { sha256File } from '../../images/files.ts'
import { hostArch } from '../../service/arch.ts'
import { ENVELOPE_FILE, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from '../../service/dsse.ts'
import { parsePayload, sha256Of } from '../../service/manifest.ts'
import { bootDisk, IMAGES } from '../support/disk-boot.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { keptMachine } from '../support/kept-machine.ts'

const IMAGES_CLI = fileURLToPath(new URL('../../images/cli.ts', import.meta.url))
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
  const beside = (published: string, ...parameters: string[]) => bootDisk({ disk, number: 2, published, parameters })
  const cut = (published: string, cutAt: StepName) => bootDisk({ disk, number: 2, published, cutAt })
  const alone = () => bootDisk({ disk, number: 2 })

  await t.test('phase.nowrite=true: it boots and serves, and no byte of the disk changes', async () => {
    const { record, mounts } = await beside(IMAGES, 'phase.nowrite=true')
    assert.deepEqual([record?.handover, record?.provider.discoveredBy], ['carry', 'mdns'])
    assert.ok(!mounts.includes('/dev/vd'), mounts)
    assert.equal(await sha256File(disk), before)
  })

  await t.test('phase.mode=private: the same, and it serves nothing', async () => {
    const { mounts } = await beside(IMAGES, 'phase.mode=private')
    assert.ok(!mounts.includes('/dev/vd'), mounts)
    assert.equal(await sha256File(disk), before)
  })

  const newer = join(runDir, 'newer')
  const digest = await publishNewer(newer)

  await t.test(
    'the power goes half way through a newer set; then with no provider in reach it serves the old one',
    async (t) => {
      await cut(newer, 'fetch')
      const found = await alone()
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
    },
  )

  await t.test('the power goes when the newer set is handed over; then it serves that one, whole', async () => {
    await cut(newer, 'kexec-load')
    const found = await alone()
    assert.deepEqual([found.differences, found.servedDigest], [[], digest])
    assert.equal(found.record?.provider.discoveredBy, 'cache')
  })
})

/** Two machines that have been proven and whose power is cut then. */
async function chainOnDisks() {
  await using chain = await keptMachine('--generations', '2', '--disk', '2G')
  return { proof: chain.proof, runDir: chain.runDir }
}

/** A release above the chain's, which is one above the images'. @returns its manifest digest */
async function publishNewer(out: string): Promise<string> {
  const arch = hostArch()
  const payloadIn = async (dir: string) =>
    parseEnvelope(await readFile(join(dir, 'stable', arch, ENVELOPE_FILE)), MANIFEST_PAYLOAD_TYPE).payload
  const { sequence } = parsePayload(await payloadIn(IMAGES))
  const about = ['--release', 'newer', '--sequence', String(sequence + 2), '--rootfs', 'none']
  const place = ['--arch', arch, '--channel', 'stable', '--images', IMAGES, '--out', out]
  await execa(process.execPath, [IMAGES_CLI, 'publish', ...place, ...about])
  return sha256Of(await payloadIn(out))
}
