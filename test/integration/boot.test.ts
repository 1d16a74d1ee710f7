import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { BootRecord } from '../../agent/boot-record.ts'
import { HANDOVER_DIR } from '../../agent/handover-layout.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { startProvider } from '../support/provider.ts'
import { startBoot } from '../support/start-boot.ts'

const run = promisify(execFile)

for (const chunkBytes of [65536, null]) {
  test(`carries a set ${chunkBytes ? 'with' : 'without'} chunks across kexec`, async (t) => {
    const set = makeSet({ chunkBytes })
    const provider = await startProvider(set, { status: { machine: 'plasm-aaaaaa', generation: 4 } })
    const machine = await makeMachine(`console=ttyS0 BOOT_IMAGE=/x plasm.run=r1 phase.provider=${provider.url}`)
    await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')

    const { initrd, kernel, args } = await machine.loaded()
    assert.deepEqual(kernel, set.files.vmlinuz)
    assert.deepEqual(initrd.subarray(0, set.prefixBytes), set.files['initramfs.img']!.subarray(0, set.prefixBytes))
    await writeFile(join(machine.directory, 'carry.cpio'), initrd.subarray(set.prefixBytes))
    const out = join(machine.directory, 'out')
    await run('sh', ['-c', 'mkdir out && cd out && cpio -idm --quiet <../carry.cpio'], { cwd: machine.directory })
    const carried = (name: string) => readFile(join(out, HANDOVER_DIR, name))
    assert.deepEqual(await carried('manifest.json'), set.manifest)
    assert.deepEqual(await carried('kernel'), set.files.vmlinuz)
    assert.deepEqual(await carried('initramfs'), set.files['initramfs.img'])
    assert.deepEqual(await carried('rootfs'), set.files['rootfs.sqfs'])
    const record = JSON.parse((await carried('boot-record.json')).toString('utf8')) as BootRecord
    assert.equal(record.generation, 5)
    assert.deepEqual(record.provider, {
      url: provider.url,
      name: 'plasm-aaaaaa',
      generation: 4,
      discoveredBy: 'static',
      peerId: null,
      provenBy: null,
    })
    assert.equal(record.runId, 'r1')
    const command = args.find((word) => word.startsWith('--command-line='))
    assert.equal(
      command,
      `--command-line=${(await readFile('/proc/cmdline', 'utf8')).trim()} plasm.stage=serve plasm.boot=${record.bootNonce}`,
    )
    assert.deepEqual(args.slice(0, 3), ['-c', '-i', '-l'])
    const total = Object.values(set.files).reduce((sum, bytes) => sum + bytes.length, 0)
    assert.equal(provider.artifactBytes(), total, 'every byte is fetched once')
  })
}
