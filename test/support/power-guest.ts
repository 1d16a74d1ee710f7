import { chmod, copyFile, mkdir, open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { chooseAccelerator } from '../../host-harness/accelerator.ts'
import type { ConsoleLine } from '../../host-harness/console.ts'
import { type Machine, startMachine } from '../../host-harness/machine.ts'
import { MACHINE_ARCHES } from '../../host-harness/qemu-args.ts'
import { openAptRoot } from '../../images/apt-root.ts'
import { IMAGE_ARCHES, MODULES } from '../../images/arch-table.ts'
import { packZstdCpio } from '../../images/cpio.ts'
import { BUILD } from '../../images/files.ts'
import { readInputs } from '../../images/inputs.ts'
import { copyModules } from '../../images/modules.ts'
import { insertSegment } from '../../images/segments.ts'
import { hostArch } from '../../service/arch.ts'
import { bundle } from './bundle.ts'

const REPO = resolve(import.meta.dirname, '../..')
const DISK_BYTES = 96 * 1024 * 1024
const MEMORY_MIB = 512

/** A machine with an ext4 disk that stages sets onto it; each start is a boot after the power came back. */
export interface PowerGuest {
  start(): Promise<Machine>
}

/**
 * Makes the guest out of the built images: a segment with ext4 and another init in the initramfs's prefix, a disk, and a second
 * disk with Node and the loop.
 * @param replace see {@link bundle}
 */
export async function makePowerGuest(dir: string, replace: Readonly<Record<string, string>> = {}): Promise<PowerGuest> {
  const arch = hostArch()
  await execa(process.execPath, [join(REPO, 'images/cli.ts'), 'build', '--arch', arch, '--channel', 'stable'])
  const images = join(BUILD, 'images/stable', arch)
  const kernel = join(images, 'kernel')
  const segment = join(dir, 'segment.cpio.zst')
  await makeSegment(join(dir, 'segment'), join(images, 'inputs.json'), segment)
  const initramfs = join(dir, 'initramfs')
  await insertSegment(join(images, 'initramfs'), segment, initramfs)
  const disk = join(dir, 'disk')
  const tools = join(dir, 'tools.sqfs')
  await makeDisk(disk)
  await makeTools(join(dir, 'tools'), tools, replace)
  const { accel } = await chooseAccelerator(arch, kernel, dir)
  let boots = 0
  return {
    start() {
      boots += 1
      const commandLine = `console=${MACHINE_ARCHES[arch].console} loglevel=4 panic=-1 cryptomgr.notests`
      const disks = [
        { file: disk, readOnly: false },
        { file: tools, readOnly: true },
      ]
      const name = `boot-${boots}`
      return startMachine({ name, arch, accel, memoryMiB: MEMORY_MIB, kernel, initramfs, commandLine, disks }, dir)
    },
  }
}

async function makeSegment(root: string, inputsFile: string, output: string): Promise<void> {
  const arch = hostArch()
  const inputs = await readInputs(inputsFile, arch)
  const pin = inputs.debian.find(({ name }) => /^linux-image-[0-9]/.test(name))!
  const apt = await openAptRoot(join(BUILD, 'apt', arch), IMAGE_ARCHES[arch].debian)
  const { tree } = await apt.take(pin.name, pin)
  await mkdir(root, { recursive: true })
  await copyModules(tree, MODULES, root)
  await copyFile(join(import.meta.dirname, 'power-init.sh'), join(root, 'init'))
  await chmod(join(root, 'init'), 0o755)
  await packZstdCpio(root, output, 3)
}

async function makeDisk(file: string): Promise<void> {
  const image = await open(file, 'w')
  await image.truncate(DISK_BYTES)
  await image.close()
  await execa('mkfs.ext4', ['-q', '-F', file], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
}

async function makeTools(dir: string, output: string, replace: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(dir, { recursive: true })
  await copyFile(process.execPath, join(dir, 'node'))
  await bundle('power-loop.ts', join(dir, 'loop.mjs'), replace)
  await execa('mksquashfs', [
    dir,
    output,
    '-noappend',
    '-quiet',
    '-no-progress',
    '-comp',
    'zstd',
    '-Xcompression-level',
    '1',
  ])
}

/** The lines `power: …` of a console so far, without the prefix. */
export function powerLines({ lines }: Machine): readonly ConsoleLine[] {
  return lines.flatMap(({ at, text }) => {
    const [, said] = /^power: (.*)$/.exec(text.trimEnd()) ?? []
    return said === undefined ? [] : { at, text: said }
  })
}

export async function consoleTail({ consoleLog }: Machine): Promise<string> {
  return (await readFile(consoleLog, 'utf8')).split('\n').slice(-20).join('\n')
}
