import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { checkoutTrust, signManifest, type Trust } from './checkout-trust.ts'
import { BUILD, EPOCH, emptyDir, exists, linkOrCopy, progress, REPOSITORY } from './files.ts'
import { takeForeignPlasmd } from './foreign-plasmd.ts'
import { buildInitramfs } from './initramfs.ts'
import { type Inputs, joinInputs, readInputs, writeInputs } from './inputs.ts'
import { buildRootfs } from './rootfs.ts'
import type { RootfsFlavour } from './rootfs-flavour.ts'
import { sourcesDigest } from './sources-digest.ts'

export const IMAGES = join(BUILD, 'images')

export interface BuildOptions {
  readonly arch: Arch
  readonly channel: string
  readonly out: string
  /** An inputs.json to build from again. */
  readonly locked: string | undefined
  /** Take the current version of every package, not those of the last build, and build even when nothing changed. */
  readonly refresh: boolean
  /** Makes it a part of the set. */
  readonly rootfs?: RootfsFlavour | undefined
  /** The checkout's own where absent. */
  readonly trust?: Trust
  /** A foreign program to bake in as plasmd; ours where absent. */
  readonly plasmd?: string
}

/**
 * Leaves `<out>/<channel>/<arch>/{kernel,initramfs,manifest.json,manifest.dsse.json,inputs.json}`, without the envelope where
 * there is no key to sign it. Does nothing when the sources, the lock file, the trust, the foreign plasmd and the locked inputs
 * are the same as last time.
 * @throws PlasmError of foreign-plasmd.ts, and of what it builds from
 * @returns whether anything was built
 */
export async function buildImages(options: BuildOptions): Promise<boolean> {
  const { arch, channel } = options
  const locked = options.locked === undefined ? undefined : await readInputs(options.locked, arch)
  const target = join(options.out, channel, arch)
  const stampFile = join(options.out, `.${channel}-${arch}.stamp`)
  const trust = options.trust ?? (await checkoutTrust())
  if (locked?.plasmd && options.plasmd === undefined) {
    throw new PlasmError('plasmd-changed', `${options.locked} was built with a foreign plasmd, ${locked.plasmd.file}`, {
      facts: { file: null, expected: locked.plasmd.sha256, found: null },
      hint: `name it: --plasmd ${locked.plasmd.file}`,
    })
  }
  const taken = join(BUILD, 'work', `plasmd-${arch}`)
  const plasmd =
    options.plasmd === undefined ? undefined : await takeForeignPlasmd(options.plasmd, arch, taken, locked?.plasmd)
  const parts = [await sourcesDigest(locked, trust.directory), options.rootfs ?? '', plasmd?.input.sha256 ?? '']
  const stamp = parts.join(' ')
  const last = await readFile(stampFile, 'utf8').catch(() => '')
  if (!options.refresh && last === stamp && (await exists(join(target, 'manifest.json')))) return false

  const startedAt = performance.now()
  const built = await buildInitramfs(
    arch,
    locked ?? (options.refresh ? undefined : await lastInputs(target, arch)),
    trust.directory,
    plasmd,
  )
  const incoming = await emptyDir(join(options.out, `.incoming-${channel}-${arch}`, channel, arch))
  await rename(built.kernel, join(incoming, 'kernel'))
  await rename(built.initramfs, join(incoming, 'initramfs'))
  await writeInputs(join(incoming, 'inputs.json'), built.inputs)
  if (options.rootfs) {
    const given = { arch, flavour: options.rootfs, set: incoming, trustDirectory: trust.directory }
    const rootfs = await buildRootfs({ ...given, locked, refresh: options.refresh })
    await linkOrCopy(rootfs.file, join(incoming, 'rootfs'))
    await writeInputs(join(incoming, 'inputs.json'), joinInputs(built.inputs, rootfs.inputs))
  }
  await writeManifest(incoming, { arch, channel, sequence: 1 })
  if (trust.signingKey) await signManifest(incoming, trust.signingKey)
  await mkdir(join(options.out, channel), { recursive: true })
  await replaceDir(incoming, target)
  await writeFile(stampFile, stamp)
  progress(`${channel}/${arch} is built (${((performance.now() - startedAt) / 1000).toFixed(0)} s)`)
  return true
}

/** The packages of the last build here, so that a changed source file does not bring new ones; none at first. */
async function lastInputs(target: string, arch: Arch): Promise<Inputs | undefined> {
  const file = join(target, 'inputs.json')
  return (await exists(file)) ? readInputs(file, arch) : undefined
}

/** The plain manifest of a directory, by the same command that a publisher uses. */
export async function writeManifest(
  dir: string,
  set: { arch: Arch; channel: string; sequence: number },
): Promise<void> {
  const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
  const place = ['--channel', set.channel, '--arch', set.arch]
  const release = ['--release-version', version, '--sequence', String(set.sequence)]
  const created = ['--created-at', new Date(EPOCH * 1000).toISOString(), '--expires-days', '3650']
  const plasmd = join(REPOSITORY, 'service/plasmd.ts')
  await execa(process.execPath, [plasmd, 'manifest', 'generate', dir, ...place, ...release, ...created])
}

async function replaceDir(from: string, to: string): Promise<void> {
  const old = `${to}.old`
  await emptyDir(old)
  if (await exists(to)) await rename(to, join(old, 'set'))
  await rename(from, to)
  await emptyDir(old).then(() => execa('rmdir', [old]))
}
