import assert from 'node:assert/strict'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { BootRecord } from '../../agent/boot-record.ts'
import { HANDOVER } from '../../agent/handover-layout.ts'
import { hostArch } from '../../service/arch.ts'
import { verifyLineage } from '../../service/lineage.ts'
import { makeNodeKey } from '../../service/node-key.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { carried } from '../support/carried.ts'
import { makeRoot, putSet, serve } from '../support/plasmd.ts'
import { makeServeMachine, type ServeMachine } from '../support/serve-machine.ts'
import { startBoot } from '../support/start-boot.ts'

const SET = makeSet()

interface Booted {
  readonly initrd: Buffer
  readonly record: BootRecord
  readonly lineage: readonly unknown[]
}

/** The fetch stage of a machine, from a provider. */
async function bootFrom(t: TestContext, url: string): Promise<Booted> {
  const machine = await makeMachine(`phase.provider=${url}`)
  await startBoot(t, machine).event(({ type }) => type === 'kexec')
  const { initrd } = await machine.loaded()
  const json = (name: string) => JSON.parse(carried(initrd, SET, name)?.toString('utf8') ?? 'null')
  return { initrd, record: json(HANDOVER.record), lineage: json(HANDOVER.lineage) }
}

/** The serve stage of that machine: what its initrd carries lies where the kernel would unpack it. */
async function serveStage(t: TestContext, { initrd, record }: Booted): Promise<ServeMachine> {
  const at = await makeServeMachine({ cmdline: `plasm.stage=serve plasm.boot=${record.bootNonce}` })
  t.after(() => at.remove())
  const { handover } = storePaths(at.store)
  await mkdir(handover, { recursive: true, mode: 0o700 })
  for (const name of ['manifest.json', 'kernel', 'initramfs', 'rootfs', ...Object.values(HANDOVER)]) {
    const bytes = carried(initrd, SET, name)
    if (bytes) await writeFile(join(handover, name), bytes, { mode: 0o600 })
  }
  return at
}

test('two boots in a row: each machine proves itself to the next, back to the origin', async (t) => {
  const root = await makeRoot(t)
  await putSet(join(root, 'stable', hostArch()), { ...SET.files, 'manifest.json': SET.manifest })
  const origin = await serve(t, root, { arch: hostArch() })

  const first = await bootFrom(t, origin.url)
  assert.deepEqual([first.record.provider.peerId, first.record.provider.provenBy], [origin.peerId, 'receipt'])
  const vm1 = await serveStage(t, first)
  vm1.start()
  const ready = await vm1.event('ready')
  assert.equal(ready.record.peerId, first.record.peerId)
  assert.deepEqual(ready.lineage, first.lineage)
  const paths = storePaths(vm1.store)
  assert.equal((await stat(paths.nodeKey)).mode & 0o777, 0o600)
  const status = await vm1.status()
  assert.equal(status.peerId, first.record.peerId)
  assert.deepEqual(
    status.lineage.map(({ provider, client }) => [provider, client]),
    [[origin.peerId, first.record.peerId]],
  )

  const second = await bootFrom(t, vm1.url)
  assert.equal(second.record.provider.peerId, first.record.peerId, 'the peer is the same in both of its stages')
  const lineage = verifyLineage(second.lineage, { client: second.record.peerId!, nonce: second.record.bootNonce })
  assert.deepEqual(
    lineage.links.map(({ provider, client }) => [provider, client]),
    [
      [first.record.peerId, second.record.peerId],
      [origin.peerId, first.record.peerId],
    ],
  )
})

test('receipts of an earlier boot, under the same key, are not taken for those of this one', async (t) => {
  const root = await makeRoot(t)
  await putSet(join(root, 'stable', hostArch()), { ...SET.files, 'manifest.json': SET.manifest })
  const booted = await bootFrom(t, (await serve(t, root, { arch: hostArch() })).url)
  const at = await serveStage(t, { ...booted, record: { ...booted.record, bootNonce: 'another' } })
  at.start()
  assert.deepEqual((await at.event('ready')).lineage, [])
})

test('a machine that nothing was handed to has a key of its own, and keeps it', async (t) => {
  const at = await makeServeMachine()
  t.after(() => at.remove())
  await at.handOver(SET)
  const agent = at.start()
  assert.deepEqual((await at.event('ready')).lineage, [])
  const { peerId } = await at.status()
  await agent.stop()
  assert.equal(makeNodeKey(await readFile(storePaths(at.store).nodeKey)).peerId, peerId)
  await rm(at.runDirectory, { recursive: true })
  at.start()
  await at.event('ready')
  assert.equal((await at.status()).peerId, peerId)
})
