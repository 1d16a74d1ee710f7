import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { emptyDir, exists, progress, sha256File } from './files.ts'
import type { PackageInput } from './inputs.ts'

/** A downloaded Debian package, unpacked without running any of its scripts. */
export interface DebianPackage extends PackageInput {
  /** Where its files lie. */
  readonly tree: string
}

/**
 * Debian packages of one architecture through an apt that keeps all state in a directory of its own: the host's sources and
 * keyrings, the host's signature checks, but none of its packages, and no root needed (apt.conf(5), Dir::State and friends).
 */
export interface AptRoot {
  /** Downloads, checks and unpacks; `version` pins one. @throws PlasmError `package-missing` | `package-gone` | `package-changed` */
  take(name: string, locked?: PackageInput): Promise<DebianPackage>
  /** Names that a package depends on (first choice of alternatives). */
  dependencies(name: string): Promise<readonly string[]>
}

export async function openAptRoot(dir: string, debianArch: string): Promise<AptRoot> {
  await Promise.all(
    ['state/lists/partial', 'cache/archives/partial', 'debs', 'trees'].map((part) =>
      mkdir(join(dir, part), { recursive: true }),
    ),
  )
  await writeFile(join(dir, 'state/status'), '')
  const options = [
    `Dir::State=${dir}/state`,
    `Dir::State::status=${dir}/state/status`,
    `Dir::Cache=${dir}/cache`,
    `APT::Architecture=${debianArch}`,
    `APT::Architectures::=${debianArch}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option])
  const apt: Apt = async (program, args, cwd = dir) => {
    const ran = await execa(program, [...options, ...args], { cwd, env: { LC_ALL: 'C' }, stdin: 'ignore' })
    return String(ran.stdout)
  }

  let updated: Promise<unknown> | undefined
  /** Once for each open root, and only when something is to be asked or fetched. */
  const update = () => {
    updated ??= updateLists(apt, debianArch)
    return updated
  }

  const packageFile = async (name: string, locked: PackageInput | undefined): Promise<string> => {
    const kept = locked && (await cachedDeb(dir, name, locked.sha256))
    if (kept) return kept
    await update()
    return locked ? download(apt, dir, name, locked) : candidate(apt, dir, name)
  }

  return {
    async take(name, locked) {
      const file = await packageFile(name, locked)
      const [version, sha256] = await Promise.all([field(file, 'Version'), sha256File(file)])
      if (locked && sha256 !== locked.sha256) {
        throw new PlasmError('package-changed', `${name}=${locked.version} is no longer the package it was`, {
          facts: { package: name, expected: locked.sha256, found: sha256 },
        })
      }
      return { name, version, sha256, tree: await unpack(dir, name, sha256, file) }
    },
    async dependencies(name) {
      if ((await readdir(join(dir, 'state/lists'))).length < 3) await update()
      const listed = await apt('apt-cache', ['depends', ...ONLY_DEPENDS, name])
      return [...listed.matchAll(/^ {1,2}\|?(?:Pre)?Depends: ([^<\s]\S*)$/gm)].map((match) => match[1]!)
    },
  }
}

const ONLY_DEPENDS = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
  (kind) => `--no-${kind}`,
)

type Apt = (program: string, args: readonly string[], cwd?: string) => Promise<string>

async function updateLists(apt: Apt, debianArch: string): Promise<void> {
  progress(`asking apt for the package lists of ${debianArch}`)
  await apt('apt-get', ['-q', 'update']).catch((cause: Error) => {
    throw new PlasmError('apt-failed', `apt-get update for ${debianArch} failed`, {
      cause,
      facts: { arch: debianArch, output: String((cause as { stderr?: string }).stderr ?? cause.message) },
      hint: "check the host's apt sources and its network",
    })
  })
}

/** The current version of a package: what an earlier build left here when it is the same, else downloaded. */
async function candidate(apt: Apt, dir: string, name: string): Promise<string> {
  const shown = await apt('apt-cache', ['show', '--no-all-versions', name]).catch(() => '')
  const sha256 = /^SHA256: ([0-9a-f]{64})$/m.exec(shown)?.[1]
  return (sha256 && (await cachedDeb(dir, name, sha256))) || download(apt, dir, name, undefined)
}

async function download(apt: Apt, dir: string, name: string, locked: PackageInput | undefined): Promise<string> {
  const wanted = locked ? `${name}=${locked.version}` : name
  const landing = await emptyDir(join(dir, 'landing'))
  progress(`downloading ${wanted}`)
  await apt('apt-get', ['-q', 'download', wanted], landing).catch((cause: Error) => {
    const code = locked ? 'package-gone' : 'package-missing'
    throw new PlasmError(code, `apt has no ${wanted}${locked ? ' any more' : ''}`, {
      cause,
      facts: { package: wanted },
      hint: locked
        ? 'take the current versions: build with --refresh and without --locked'
        : "check the host's apt sources",
    })
  })
  const [deb] = await readdir(landing)
  if (!deb)
    throw new PlasmError('package-missing', `apt downloaded nothing for ${wanted}`, { facts: { package: wanted } })
  const kept = join(dir, 'debs', deb)
  await rename(join(landing, deb), kept)
  return kept
}

/** A package that an earlier build left here, so that it is not fetched again. */
async function cachedDeb(dir: string, name: string, sha256: string): Promise<string | undefined> {
  for (const deb of await readdir(join(dir, 'debs'))) {
    const file = join(dir, 'debs', deb)
    if (deb.startsWith(`${name}_`) && (await sha256File(file)) === sha256) return file
  }
  return undefined
}

/** Unpacks without running maintainer scripts, once for each package file. */
async function unpack(dir: string, name: string, sha256: string, file: string): Promise<string> {
  const tree = join(dir, 'trees', `${name}_${sha256.slice(0, 16)}`)
  if (await exists(tree)) return tree
  const unpacking = await emptyDir(`${tree}.part`)
  await execa('dpkg-deb', ['-x', file, unpacking])
  await rename(unpacking, tree)
  return tree
}

async function field(deb: string, name: string): Promise<string> {
  return (await execa('dpkg-deb', ['-f', deb, name])).stdout.trim()
}
