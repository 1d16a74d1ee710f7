import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { chooseAccelerator } from '../../host-harness/accelerator.ts'
import { type Machine, startMachine } from '../../host-harness/machine.ts'
import { MACHINE_ARCHES } from '../../host-harness/qemu-args.ts'
import { packZstdCpio } from '../../images/cpio.ts'
import { BUILD } from '../../images/files.ts'
import { insertSegment } from '../../images/segments.ts'
import { hostArch } from '../../service/arch.ts'

const REPO = resolve(import.meta.dirname, '../..')
const WITHIN_MS = 120_000
const FETCH_STAGE = '    start_network\n    rm -f "$devices_pending"\n    fetch_stage\n'
const END = /^doctor ended with (\d+)$/

test('doctor looks at a real machine, and names the one thing that is wrong: it has no network card', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-doctor-vm-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const arch = hostArch()
  await execa(process.execPath, [join(REPO, 'images/cli.ts'), 'build', '--arch', arch, '--channel', 'stable'])
  const images = join(BUILD, 'images/stable', arch)
  const kernel = join(images, 'kernel')
  const initramfs = join(dir, 'initramfs')
  await insertSegment(join(images, 'initramfs'), await initThatAsks(dir), initramfs)
  const { accel } = await chooseAccelerator(arch, kernel, dir)
  const commandLine = `console=${MACHINE_ARCHES[arch].console} loglevel=4 panic=-1 cryptomgr.notests`
  await using machine = await startMachine(
    { name: 'doctor', arch, accel, memoryMiB: 512, kernel, initramfs, commandLine },
    dir,
  )
  const said = await untilEnd(machine)
  const found = said.filter((line) => /^(fine|doubtful|wrong) /.test(line)).map((line) => line.split(/ +/, 2).join(' '))
  assert.deepEqual(found, [
    'fine configuration',
    'fine trust',
    'fine clock',
    'wrong network',
    'fine memory',
    'fine kexec',
    'fine disk',
    'fine store',
    'doubtful port',
  ])
  assert.equal(said.at(-1), 'doctor ended with 1')
})

/** The image's own init, but that in place of the fetch stage it asks the doctor. */
async function initThatAsks(dir: string): Promise<string> {
  const init = await readFile(join(REPO, 'init/init'), 'utf8')
  assert.ok(init.includes(FETCH_STAGE), 'init starts the fetch stage where this test expects it')
  const asks = '    clean plasm-agent doctor; echo "doctor ended with $?"; hold asked\n'
  await mkdir(join(dir, 'segment'))
  await writeFile(
    join(dir, 'segment/init'),
    init.replace(FETCH_STAGE, () => asks),
  )
  await chmod(join(dir, 'segment/init'), 0o755)
  await packZstdCpio(join(dir, 'segment'), join(dir, 'segment.cpio.zst'), 3)
  return join(dir, 'segment.cpio.zst')
}

async function untilEnd(machine: Machine): Promise<readonly string[]> {
  const lines = () => machine.lines.map(({ text }) => text.trimEnd())
  for (const deadline = performance.now() + WITHIN_MS; performance.now() < deadline; await sleep(50)) {
    const end = lines().findIndex((line) => END.test(line))
    if (end >= 0) return lines().slice(0, end + 1)
    if (machine.ended()) break
  }
  throw new Error(`no end (${machine.ended() ?? 'it runs'}):\n${lines().slice(-20).join('\n')}`)
}
