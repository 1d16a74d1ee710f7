import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { chooseAccelerator } from '../../host-harness/accelerator.ts'
import { startMachine } from '../../host-harness/machine.ts'
import { MACHINE_ARCHES } from '../../host-harness/qemu-args.ts'
import { BUILD } from '../../images/files.ts'
import { hostArch } from '../../service/arch.ts'

const REPO = resolve(import.meta.dirname, '../..')
/** As long as a kernel says the most. */
const BUSY_MS = 5000

test('a harness that is busy elsewhere for five seconds misses no character of what a kernel says', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-console-vm-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const arch = hostArch()
  await execa(process.execPath, [join(REPO, 'images/cli.ts'), 'build', '--arch', arch, '--channel', 'stable'])
  const images = join(BUILD, 'images/stable', arch)
  const kernel = join(images, 'kernel')
  const { accel } = await chooseAccelerator(arch, kernel, dir)
  const commandLine = `console=${MACHINE_ARCHES[arch].console} loglevel=8 panic=-1 cryptomgr.notests`
  await using machine = await startMachine(
    { name: 'busy', arch, accel, memoryMiB: 512, kernel, initramfs: join(images, 'initramfs'), commandLine },
    dir,
  )
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS)

  const { stdout } = await machine.exec('dmesg')
  const seen = new Set(machine.lines.map(({ text }) => text.trimEnd()))
  const said = stdout
    .toString()
    .split('\n')
    .filter((line) => /^\[ *\d+\.\d+\] /.test(line))
  assert.ok(said.length > 200, `the kernel said ${said.length} lines only`)
  assert.deepEqual(
    said.map((line) => line.trimEnd()).filter((line) => !seen.has(line)),
    [],
  )
})
