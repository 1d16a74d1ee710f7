import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { type Arch, hostArch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { IMAGE_ARCHES, NODE_VERSION } from './arch-table.ts'
import { bundleScripts, type Scripts } from './bundle-scripts.ts'
import { BUILD, emptyDir, exists, progress, REPOSITORY, sha256File } from './files.ts'
import type { PackageInput } from './inputs.ts'
import { keepEnglishOnly } from './small-icu.ts'

/**
 * The one executable (DESIGN decision 1): the sources as one CommonJS bundle, libp2p as another, put into a stripped Node by pkg in
 * SEA mode as a startup snapshot.
 * @param sysroot where the Node of a foreign architecture finds its loader and libraries
 * @returns its path
 */
export async function buildExecutable(arch: Arch, runtime: NodeRuntime, sysroot: string): Promise<string> {
  const dir = await emptyDir(join(BUILD, 'executable', arch))
  progress(`bundling and packing the executable for ${arch}`)
  const { script, assets } = await bundleScripts(dir)
  return pack({ script, assets, arch, runtime, sysroot, dir })
}

export interface NodeRuntime {
  readonly input: PackageInput
  /** The binary, stripped of symbols and of other languages. */
  readonly file: string
}

/**
 * Node's own binary for an architecture, from npm: the installed package for this host's, `npm pack` for the other one (its
 * os/cpu fields keep it from being installed), checked against the digest in the lock file.
 */
export async function takeNodeRuntime(arch: Arch): Promise<NodeRuntime> {
  const { nodePackage, strip } = IMAGE_ARCHES[arch]
  const dir = join(BUILD, 'node', `${nodePackage}-${NODE_VERSION}`)
  const tarball = join(dir, 'package.tgz')
  const stripped = join(dir, 'node-small')
  if (!(await exists(stripped))) {
    await emptyDir(dir)
    progress(`fetching ${nodePackage}@${NODE_VERSION}`)
    const packed = await execa(
      'npm',
      ['pack', '--silent', '--pack-destination', dir, `${nodePackage}@${NODE_VERSION}`],
      {
        cwd: dir,
      },
    )
    await rename(join(dir, packed.stdout.trim().split('\n').at(-1)!), tarball)
    await checkIntegrity(tarball, nodePackage)
    await execa('tar', ['-xzf', tarball, '-C', dir, '--strip-components=2', 'package/bin/node'])
    await execa(strip, ['-o', `${stripped}.part`, join(dir, 'node')])
    await keepEnglishOnly(`${stripped}.part`, dir)
    await chmod(`${stripped}.part`, 0o755)
    await rename(`${stripped}.part`, stripped)
  }
  return { file: stripped, input: { name: nodePackage, version: NODE_VERSION, sha256: await sha256File(tarball) } }
}

async function checkIntegrity(tarball: string, nodePackage: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(REPOSITORY, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string }>
  }
  const locked = lock.packages[`node_modules/${nodePackage}`]
  const found = `sha512-${createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64')}`
  if (locked?.version !== NODE_VERSION || locked.integrity !== found) {
    throw new PlasmError('package-changed', `${nodePackage}@${NODE_VERSION} is not what package-lock.json pins`, {
      facts: { package: nodePackage, expected: locked?.integrity ?? null, found },
    })
  }
}

/**
 * pkg would download Node from its own mirror; these marker files of pkg 6.23's cache make it take the binary that lies
 * there instead. They are its internals, so package.json pins its version.
 */
async function seedPkgCache(home: string, target: string, node: string): Promise<void> {
  const cache = join(home, '.pkg-cache/sea')
  const name = `node-v${NODE_VERSION}-${target}`
  await mkdir(join(cache, name, 'bin'), { recursive: true })
  await cp(node, join(cache, name, 'bin/node'))
  for (const marker of [`${name}.tar.gz`, `${name}.tar.gz.ok`, join(name, 'bin/node.ok')]) {
    await writeFile(join(cache, marker), '')
  }
}

interface PackJob extends Scripts {
  readonly arch: Arch
  readonly runtime: NodeRuntime
  readonly sysroot: string
  readonly dir: string
}

async function pack({ script, assets, arch, runtime, sysroot, dir }: PackJob): Promise<string> {
  const { pkgTarget } = IMAGE_ARCHES[arch]
  const home = join(dir, 'home')
  await seedPkgCache(home, pkgTarget, runtime.file)
  const output = join(dir, 'plasm-agent')
  const generator = await cacheGenerator(arch, runtime.file, sysroot, dir)
  const program = join(REPOSITORY, 'images/pack-sea.ts')
  const all = { ...assets, ...(generator ? await codeCaches(assets, generator) : {}) }
  const args = [
    program,
    script,
    JSON.stringify(all),
    output,
    pkgTarget,
    NODE_VERSION,
    ...(generator ? [await inPlace(generator, script, dir)] : []),
  ]
  await execa(process.execPath, args, { cwd: dir, env: { HOME: home } })
  return output
}

/** The same for pkg, which names script and configuration by paths of this machine, and the snapshot would hold them. */
async function inPlace(generator: string, script: string, dir: string): Promise<string> {
  const wrapper = join(dir, 'make-snapshot')
  const lines = [
    '#!/bin/sh -e',
    `cd '${dir}'`,
    `sed 's|"main":"[^"]*"|"main":"${basename(script)}"|' "$2" >sea-config.json`,
    `exec '${generator}' "$1" sea-config.json`,
  ]
  await writeFile(wrapper, `${lines.join('\n')}\n`, { mode: 0o755 })
  return wrapper
}

/** V8's code cache of each script beside the main one, which the snapshot holds; dht-asset.cjs finds it by its name. */
async function codeCaches(assets: Scripts['assets'], generator: string): Promise<Scripts['assets']> {
  const made: Record<string, string> = {}
  for (const [name, file] of Object.entries(assets)) {
    made[`${name}.cache`] = `${file}.cache`
    await execa(generator, [join(REPOSITORY, 'images/code-cache.cjs'), file, `${file}.cache`])
  }
  return made
}

/**
 * A program that runs the target's own Node here, for V8's snapshot and code cache: that Node itself, or qemu-user around it. They
 * more than halve the time to start (measured in a guest); without an emulator the image is only slower. V8 numbers its hashes from
 * a random seed, which is fixed here (and is no part of what V8 checks a cache against), and a warning would put a pid into the
 * snapshot: so the same inputs give the same bytes.
 */
async function cacheGenerator(arch: Arch, node: string, sysroot: string, dir: string): Promise<string | undefined> {
  const { emulator } = IMAGE_ARCHES[arch]
  const foreign = arch !== hostArch()
  if (foreign && (await execa('which', [emulator], { reject: false })).failed) {
    progress(`no ${emulator} here: the executable for ${arch} starts slower, without a snapshot`)
    return undefined
  }
  const wrapper = join(dir, 'node')
  const through = foreign ? `${emulator} -L '${sysroot}' ` : ''
  await writeFile(
    wrapper,
    `#!/bin/sh\nexec ${through}'${node}' --random-seed=1 --disable-warning=ExperimentalWarning "$@"\n`,
    { mode: 0o755 },
  )
  return wrapper
}
