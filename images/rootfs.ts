import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { unpackAgentParts } from './agent-parts.ts'
import { openAptRoot } from './apt-root.ts'
import { IMAGE_ARCHES } from './arch-table.ts'
import { BUILD, emptyDir, exists, progress, sha256File } from './files.ts'
import { type Inputs, joinInputs, readInputs, writeInputs } from './inputs.ts'
import { makeDebianTree } from './rootfs-debian.ts'
import type { RootfsFlavour } from './rootfs-flavour.ts'
import { installPlasm } from './rootfs-install.ts'
import { makeMinimalTree } from './rootfs-minimal.ts'
import { installUnits } from './rootfs-units.ts'
import { sourcesDigest } from './sources-digest.ts'
import { makeSquashfs } from './squashfs.ts'

export interface RootfsOptions {
  readonly arch: Arch
  readonly flavour: RootfsFlavour
  /** Directory of the built set that it is for: initramfs and inputs.json. */
  readonly set: string
  readonly trustDirectory: string
  /** As in BuildOptions. */
  readonly locked?: Inputs | undefined
  readonly refresh?: boolean
}

export interface BuiltRootfs {
  /** A squashfs. */
  readonly file: string
  readonly inputs: Inputs
}

/** A system before the programs of this project are in it, and what it was made from. */
interface Tree {
  readonly root: string
  readonly inputs: Inputs
  readonly owners: 'root' | 'kept'
}

/**
 * The rootfs that goes with a built set. It is kept in `build/rootfs/<arch>/<flavour>/{rootfs,inputs.json}` and made anew only
 * when the set, the sources, the trust or the locked inputs have changed.
 */
export async function buildRootfs(options: RootfsOptions): Promise<BuiltRootfs> {
  const { arch, flavour, set, trustDirectory, refresh = false } = options
  const home = join(BUILD, 'rootfs', arch, flavour)
  const built = { file: join(home, 'rootfs'), inputsFile: join(home, 'inputs.json'), stampFile: join(home, 'stamp') }
  const stamp = createHash('sha256')
    .update(await sourcesDigest(options.locked, trustDirectory))
    .update(await sha256File(join(set, 'initramfs')))
    .digest('hex')
  const last = await readFile(built.stampFile, 'utf8').catch(() => '')
  if (!refresh && last === stamp && (await exists(built.file))) {
    return { file: built.file, inputs: await readInputs(built.inputsFile, arch) }
  }

  const startedAt = performance.now()
  const work = await emptyDir(join(BUILD, 'work', `rootfs-${arch}-${flavour}`))
  const tree = await TREES[flavour](options, work, home)
  const parts = await unpackAgentParts(join(set, 'initramfs'), join(work, 'parts'))
  await installPlasm(tree.root, { arch: IMAGE_ARCHES[arch], flavour, parts, trustDirectory })
  progress(`compressing the rootfs ${flavour} for ${arch}`)
  await mkdir(home, { recursive: true })
  await makeSquashfs(tree.root, `${built.file}.part`, tree.owners === 'kept' ? { keptOf: arch } : 'root')
  await rename(`${built.file}.part`, built.file)
  await writeInputs(built.inputsFile, tree.inputs)
  await writeFile(built.stampFile, stamp)
  await emptyDir(work)
  progress(`the rootfs ${flavour} for ${arch} is built (${((performance.now() - startedAt) / 1000).toFixed(0)} s)`)
  return { file: built.file, inputs: tree.inputs }
}

const TREES: Readonly<Record<RootfsFlavour, (options: RootfsOptions, work: string, home: string) => Promise<Tree>>> = {
  async minimal({ arch, set }, work) {
    const inputs = await readInputs(join(set, 'inputs.json'), arch)
    const apt = await openAptRoot(join(BUILD, 'apt', arch), IMAGE_ARCHES[arch].debian)
    const pin = inputs.debian.find(({ name }) => name === 'busybox-static')
    const root = await makeMinimalTree(arch, await apt.take('busybox-static', pin), work)
    const withoutKernel = inputs.debian.filter(({ name }) => !name.startsWith('linux-image-'))
    return { root, inputs: { ...inputs, debian: withoutKernel }, owners: 'root' }
  },
  async debian({ arch, set, locked, refresh = false }, work, home) {
    const inputs = await readInputs(join(set, 'inputs.json'), arch)
    const { root, packages } = await makeDebianTree(arch, { home, work, refresh, locked: locked?.debian })
    await installUnits(root, inputs.plasmd !== undefined)
    // Of the initramfs's packages it has what its programs came from.
    return { root, inputs: joinInputs(inputs, { ...inputs, debian: packages }), owners: 'kept' }
  },
}
