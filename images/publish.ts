import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { writeManifest } from './build.ts'
import { checkoutTrust, signManifest, type Trust } from './checkout-trust.ts'
import { packZstdCpio } from './cpio.ts'
import { BUILD, emptyDir, exists, linkOrCopy, writeAtEpoch } from './files.ts'
import { buildRootfs } from './rootfs.ts'
import type { RootfsFlavour } from './rootfs-flavour.ts'
import { insertSegment } from './segments.ts'
import { allowUnsigned } from './trust-segment.ts'

export interface PublishOptions {
  readonly arch: Arch
  readonly channel: string
  readonly out: string
  /** Goes into /etc/plasm/release of the published image; the built one has none. */
  readonly release: string
  readonly sequence: number
  /** Signs nothing, and the image takes what nobody signed. */
  readonly unsigned: boolean
  /** Makes it a part of the set; built when it is not up to date. */
  readonly rootfs?: RootfsFlavour | undefined
  /** The checkout's own where absent. */
  readonly trust?: Trust
  /** Where `plasm-images build` left what is published. */
  readonly images: string
}

/**
 * Publishes a built set as a release: the same kernel and initramfs plus one tiny segment at the end of the prefix, and a rootfs
 * where one is asked for, under a manifest of its own, signed where there is a key. @throws PlasmError `images-missing` when nothing is built yet
 */
export async function publishRelease(options: PublishOptions): Promise<void> {
  const { arch, channel } = options
  const built = join(options.images, channel, arch)
  if (!(await exists(join(built, 'manifest.json')))) {
    throw new PlasmError('images-missing', `no images for ${channel}/${arch} yet`, {
      facts: { channel, arch },
      hint: `npm run images -- build --arch ${arch} --channel ${channel} --out ${options.images}`,
    })
  }
  const target = await emptyDir(join(options.out, channel, arch))
  const work = await emptyDir(join(BUILD, 'work', `release-${arch}-${process.pid}`))
  await mkdir(join(work, 'root/etc/plasm'), { recursive: true })
  await writeAtEpoch(join(work, 'root/etc/plasm/release'), `${options.release}\n`)
  const trust = options.trust ?? (await checkoutTrust())
  if (options.unsigned) await allowUnsigned(trust.directory, join(work, 'root'))
  const segment = join(work, 'release.cpio.zst')
  await packZstdCpio(join(work, 'root'), segment, 3)
  await linkOrCopy(join(built, 'kernel'), join(target, 'kernel'))
  if (options.rootfs) {
    const given = { arch, flavour: options.rootfs, set: built, trustDirectory: trust.directory }
    await linkOrCopy((await buildRootfs(given)).file, join(target, 'rootfs'))
  }
  await insertSegment(join(built, 'initramfs'), segment, join(target, 'initramfs'))
  await writeManifest(target, options)
  if (trust.signingKey && !options.unsigned) await signManifest(target, trust.signingKey)
  await emptyDir(work)
}
