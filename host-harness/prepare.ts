import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { freemem } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, parseManifest } from '../service/manifest.ts'
import type { ChainOptions, ChainSpec } from './chain-spec.ts'
import { MACHINE_ARCHES } from './qemu-args.ts'
import type { Rootfs } from './rootfs.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const IMAGES_CLI = join(ROOT, 'images/cli.ts')
const CHANNEL = 'stable'
/** Images with a foreign plasmd have a place of their own, so that neither kind is built again for the other's sake. */
const IMAGES = { own: join(ROOT, 'build/images'), foreign: join(ROOT, 'build/images-foreign') }
/** What a QEMU takes beside its guest's memory, roughly. */
const QEMU_MIB = 120

/**
 * What needs the host's own network or disk, before the namespaces: images up to date, and a release of this run's own, with
 * a fresh nonce and a sequence above the boot media's.
 * @throws PlasmError `programs-missing` | `host-memory-short` | `images-failed`
 */
export async function prepare(options: ChainOptions, runDir: string, signal: AbortSignal): Promise<ChainSpec> {
  const { arch } = options
  await checkPrograms([MACHINE_ARCHES[arch].program, 'unshare', 'setpriv', 'nsenter', 'ip', 'nft', 'dnsmasq'])
  checkMemory(options)
  const place = options.plasmd === undefined ? IMAGES.own : IMAGES.foreign
  const plasmd = options.plasmd === undefined ? [] : ['--plasmd', resolve(options.plasmd)]
  await images(['build', '--arch', arch, '--channel', CHANNEL, '--out', place, ...plasmd], signal)
  const built = join(place, CHANNEL, arch)
  const { sequence } = parseManifest(await readFile(join(built, MANIFEST_FILE)))
  const publish = async (name: string, release: string, number: number, rootfs: Rootfs) => {
    const out = join(runDir, name)
    const trust = options.unsigned ? ['--unsigned'] : []
    const about = ['--release', release, '--sequence', String(number), '--rootfs', rootfs, ...trust]
    await images(['publish', '--arch', arch, '--channel', CHANNEL, '--images', place, '--out', out, ...about], signal)
    return out
  }
  const nonce = `run-${randomBytes(12).toString('hex')}`
  const publishedDir = await publish('published', nonce, sequence + 1, options.rootfs)
  // The images that are built take signed sets only; others are made for this run.
  const mediaDir = options.unsigned ? join(await publish('media', 'media', sequence, 'none'), CHANNEL, arch) : built
  return { ...options, channel: CHANNEL, runDir, mediaDir, publishedDir, nonce }
}

async function images(args: readonly string[], signal: AbortSignal): Promise<void> {
  const ran = await execa(process.execPath, [IMAGES_CLI, ...args], {
    cwd: ROOT,
    stdin: 'ignore',
    stdout: process.stderr,
    stderr: 'inherit',
    reject: false,
    cancelSignal: signal,
  })
  if (signal.aborted) throw new PlasmError('interrupted', 'interrupted', { facts: { step: 'images' } })
  if (!ran.failed) return
  throw new PlasmError('images-failed', `images ${args[0]} failed (${ran.shortMessage?.split(':')[0]})`, {
    facts: { step: 'images' },
    hint: `see what it printed above; alone it is: npm run images -- ${args.join(' ')}`,
  })
}

async function checkPrograms(names: readonly string[]): Promise<void> {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const missing: string[] = []
  for (const name of names) {
    const tries = directories.map((directory) => access(join(directory, name), constants.X_OK))
    await Promise.any(tries).catch(() => missing.push(name))
  }
  if (missing.length === 0) return
  throw new PlasmError('programs-missing', `not found: ${missing.join(', ')}`, {
    facts: { step: 'setup', missing },
    hint: 'npm run chain installs the Debian packages that bring them',
  })
}

/** An emulated or accelerated guest ends up with all of its memory; one that the host's OOM killer takes proves nothing. */
function checkMemory({ generations, memoryMiB, providers }: ChainOptions): void {
  const machines = providers === 'all' ? generations : Math.min(generations, 2)
  const need = machines * (memoryMiB + QEMU_MIB)
  const free = Math.floor(freemem() / 1024 / 1024)
  if (need <= free) return
  throw new PlasmError(
    'host-memory-short',
    `${machines} machines at once need ${need} MiB, ${free} MiB are free here`,
    {
      facts: { step: 'setup', need, free },
      hint: 'ask for fewer generations, less --memory, or --providers last',
    },
  )
}
