import { copyFile, cp, mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { buildAgentSquashfs } from './agent-squashfs.ts'
import { type DebianPackage, openAptRoot } from './apt-root.ts'
import { COMMON_PACKAGES, IMAGE_ARCHES, type ImageArch } from './arch-table.ts'
import { buildBaseSegment } from './base-segment.ts'
import { buildExecutable, takeNodeRuntime } from './executable.ts'
import { BUILD, emptyDir, exists, progress } from './files.ts'
import type { ForeignPlasmd } from './foreign-plasmd.ts'
import type { Inputs } from './inputs.ts'
import { libraryClosure } from './libraries.ts'
import { composeInitramfs } from './segments.ts'
import { buildTrustSegment } from './trust-segment.ts'

export interface BuiltSet {
  readonly kernel: string
  readonly initramfs: string
  readonly inputs: Inputs
}

/**
 * Builds kernel and initramfs for an architecture from Debian packages, the Node runtime and the sources.
 * @param plasmd a foreign one to bake in, checked already (foreign-plasmd.ts)
 */
export async function buildInitramfs(
  arch: Arch,
  locked: Inputs | undefined,
  trustDirectory: string,
  plasmd?: ForeignPlasmd,
): Promise<BuiltSet> {
  const table = IMAGE_ARCHES[arch]
  const work = await emptyDir(join(BUILD, 'work', arch))
  const apt = await openAptRoot(join(BUILD, 'apt', arch), table.debian)
  const taken = new Map<string, DebianPackage>()
  const take = async (name: string): Promise<DebianPackage> => {
    const pin = locked?.debian.find((input) => input.name === name)
    const found = taken.get(name) ?? (await apt.take(name, pin))
    taken.set(name, found)
    return found
  }

  const [busybox, kexecTools, libstdcxx, e2fsprogs] = await inOrder(COMMON_PACKAGES, take)
  const kernel = await take(await kernelPackage(apt, table.kernelPackage, locked))
  const runtime = await takeNodeRuntime(arch)
  const programs = new Map([
    ['kexec', await systemProgram(kexecTools!, 'kexec')],
    ['mke2fs', await systemProgram(e2fsprogs!, 'mke2fs')],
    ['e2fsck', await systemProgram(e2fsprogs!, 'e2fsck')],
  ])
  const libraries = await libraryClosure(
    [
      { file: runtime.file, package: libstdcxx!.name },
      { file: programs.get('kexec')!, package: kexecTools!.name },
      { file: programs.get('mke2fs')!, package: e2fsprogs!.name },
      { file: programs.get('e2fsck')!, package: e2fsprogs!.name },
    ],
    apt,
    take,
  )

  const sysroot = await makeSysroot(table, libraries.files, work)
  const executable = await buildExecutable(arch, runtime, sysroot)
  progress(`packing the initramfs for ${arch}`)
  const base = join(work, 'base.cpio.zst')
  const trust = join(work, 'trust.cpio.zst')
  const squashfs = join(work, 'agent.sqfs')
  await buildBaseSegment(table, { kernel, busybox: busybox! }, work, base)
  await buildTrustSegment(trustDirectory, work, trust)
  await buildAgentSquashfs({ executable, plasmd, programs, libraries: libraries.files }, work, squashfs)
  const initramfs = join(work, 'initramfs')
  await composeInitramfs(initramfs, [base, trust], squashfs)

  const shipped = [busybox!, kexecTools!, e2fsprogs!, kernel, ...libraries.packages].map(
    ({ name, version, sha256 }) => ({
      name,
      version,
      sha256,
    }),
  )
  const debian = [...new Map(shipped.map((input) => [input.name, input])).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  return {
    kernel: await kernelFile(kernel, work),
    initramfs,
    inputs: { version: 1, arch, debian, npm: [runtime.input], ...(plasmd ? { plasmd: plasmd.input } : {}) },
  }
}

/** Packages of Debian 12 have it in /sbin, later ones in /usr/sbin. */
async function systemProgram({ tree }: DebianPackage, name: string): Promise<string> {
  const merged = join(tree, 'usr/sbin', name)
  return (await exists(merged)) ? merged : join(tree, 'sbin', name)
}

/** The libraries where programs of that architecture look for them, for qemu-user. */
async function makeSysroot(table: ImageArch, files: ReadonlyMap<string, string>, work: string): Promise<string> {
  const root = await emptyDir(join(work, 'sysroot'))
  const loader = table.interpreter.slice(1)
  await mkdir(join(root, table.libraryDir), { recursive: true })
  await mkdir(join(root, dirname(loader)), { recursive: true })
  for (const [soname, file] of files) await copyFile(file, join(root, table.libraryDir, soname))
  await copyFile(files.get(basename(loader))!, join(root, loader))
  return root
}

/** The meta package's dependency: the kernel of this day, or the locked one. */
async function kernelPackage(
  apt: { dependencies(name: string): Promise<readonly string[]> },
  meta: string,
  locked: Inputs | undefined,
): Promise<string> {
  const isKernel = (name: string) => /^linux-image-[0-9]/.test(name)
  const name = locked
    ? locked.debian.map((input) => input.name).find(isKernel)
    : (await apt.dependencies(meta)).find(isKernel)
  if (name) return name
  throw new PlasmError('package-missing', `no kernel: ${meta} depends on no linux-image package`, {
    facts: { package: meta },
  })
}

async function kernelFile(kernel: DebianPackage, work: string): Promise<string> {
  const version = kernel.name.replace(/^linux-image-/, '').replace(/-unsigned$/, '')
  const output = join(work, 'kernel')
  await cp(join(kernel.tree, 'boot', `vmlinuz-${version}`), output)
  return output
}

async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}
