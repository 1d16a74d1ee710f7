import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { IMAGE_ARCHES } from './arch-table.ts'
import { asRoot } from './as-root.ts'
import { emptyDir, exists, progress, REPOSITORY } from './files.ts'
import type { PackageInput } from './inputs.ts'

/** Beside what is essential: PID 1, devices, addresses, logging in and looking around, and what the agent's runtime links to. */
const PACKAGES = [
  'systemd-sysv',
  'systemd-resolved',
  'udev',
  'kmod',
  'iproute2',
  'login',
  'procps',
  'libstdc++6',
] as const

/** Read by people elsewhere, or made from something that is there. */
const LEFT_OUT = [
  'usr/share/doc/*',
  'usr/share/man/*',
  'usr/share/info/*',
  'usr/share/locale/*',
  'usr/share/lintian/*',
  'usr/lib/udev/hwdb.d/*',
] as const

/** Left by the installation, or the machine's own to make. */
const NOT_KEPT = [
  'dev/*',
  'etc/hostname',
  'etc/resolv.conf',
  'var/cache/apt/*',
  'var/lib/apt/lists/*',
  'var/log/*.log',
  'var/log/apt',
] as const

/** What a machine that keeps nothing over a power cycle has no use for, and what waits for things that it does not need. */
const MASKED = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-networkd-wait-online.service',
] as const

/** Unit -> the unit that pulls it in. */
const ENABLED: Readonly<Record<string, string>> = {
  'systemd-networkd.service': 'multi-user.target',
  'systemd-resolved.service': 'multi-user.target',
}

const APT_OPTIONS = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"']

export interface DebianTree {
  readonly root: string
  readonly packages: readonly PackageInput[]
}

/**
 * The rootfs `debian`: systemd, and a console that root can log in to; made by mmdebstrap from the host's own apt sources. What the
 * packages became is kept in `home`, since installing them takes a minute, and minutes for another architecture.
 * @param given.locked the packages that it must be made of, where it is built again
 * @throws PlasmError `package-gone`, `emulator-missing`, `apt-failed`
 */
export async function makeDebianTree(
  arch: Arch,
  given: {
    readonly home: string
    readonly work: string
    readonly refresh: boolean
    readonly locked: readonly PackageInput[] | undefined
  },
): Promise<DebianTree> {
  const base = { tar: join(given.home, 'base.tar'), packages: join(given.home, 'base.packages') }
  const locked = given.locked?.length ? given.locked : undefined
  const recipe = createHash('sha256')
    .update(JSON.stringify([PACKAGES, LEFT_OUT, APT_OPTIONS, locked ?? null]))
    .digest('hex')
  const stamp = `${base.tar}.stamp`
  const last = await readFile(stamp, 'utf8').catch(() => '')
  if (given.refresh || last !== recipe || !(await exists(base.tar))) {
    await mkdir(given.home, { recursive: true })
    await rm(stamp, { force: true })
    await install(arch, base, locked, given.work)
    await writeFile(stamp, recipe)
  }
  const packages = installed(await readFile(base.packages, 'utf8'))
  if (locked) checkLocked(packages, locked)
  const root = await emptyDir(join(given.work, 'debian'))
  const left = NOT_KEPT.map((path) => `--exclude=./${path}`)
  await asRoot(arch, ['tar', '-C', root, '--numeric-owner', '-xpf', base.tar, ...left])
  await finish(root)
  return { root, packages }
}

/** mmdebstrap, and what apt says of each package that is there then. */
async function install(
  arch: Arch,
  base: { readonly tar: string; readonly packages: string },
  locked: readonly PackageInput[] | undefined,
  work: string,
): Promise<void> {
  progress(`installing Debian with systemd for ${arch}`)
  const options = APT_OPTIONS.flatMap((option) => ['--aptopt', option])
  const left = LEFT_OUT.map((path) => `--dpkgopt=path-exclude=/${path}`)
  const words = [
    ...['mmdebstrap', '--mode=root', '--format=tar', '--variant=minbase', '--quiet'],
    ...[`--architectures=${IMAGE_ARCHES[arch].debian}`, `--include=${PACKAGES.join(',')}`],
    ...[...options, ...left],
  ]
  if (locked) {
    const pins = join(work, 'pins')
    const pin = ({ name, version }: PackageInput) => `Package: ${name}\nPin: version ${version}\nPin-Priority: 1001\n`
    await writeFile(pins, locked.map(pin).join('\n'))
    words.push(
      `--setup-hook=mkdir -p "$1"/etc/apt/preferences.d && cp ${quoted(pins)} "$1"/etc/apt/preferences.d/plasm`,
    )
    words.push('--customize-hook=rm "$1"/etc/apt/preferences.d/plasm')
  }
  words.push(
    `--customize-hook=chroot "$1" sh -c 'dpkg-query -W -f "\\\${Package}=\\\${Version}\\n" | xargs apt-cache show' >${quoted(base.packages)}`,
  )
  // A shell of its own language, so that whatever is set on this host does not get into the image.
  const env = { LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: undefined }
  const part = `${base.tar}.part`
  await asRoot(arch, [...words, '', part, ...(await aptSources())], { env, stderr: 'pipe' }).catch(
    (cause: Error & { stderr?: unknown }) => {
      throw new PlasmError('apt-failed', `Debian for ${arch} could not be installed by mmdebstrap`, {
        cause,
        facts: { arch, output: String(cause.stderr ?? cause.message) },
        hint: "check the host's apt sources and its network",
      })
    },
  )
  await rename(part, base.tar)
}

const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`

/** Where this host has its own packages from: files that mmdebstrap reads as they are. */
async function aptSources(): Promise<readonly string[]> {
  const listed = await readdir('/etc/apt/sources.list.d').catch(() => [])
  const files = listed.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `/etc/apt/sources.list.d/${name}`)
  const old = await stat('/etc/apt/sources.list').catch(() => undefined)
  return [...(old?.size ? ['/etc/apt/sources.list'] : []), ...files]
}

/** The fields of apt-cache(8) that name what was installed. */
function installed(shown: string): readonly PackageInput[] {
  const packages = shown.split('\n\n').map((stanza): PackageInput => {
    const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1] ?? ''
    return { name: field('Package'), version: field('Version'), sha256: field('SHA256') }
  })
  return packages.filter(({ name, sha256 }) => name !== '' && sha256 !== '')
}

/** @throws PlasmError `package-gone` | `package-changed` */
function checkLocked(packages: readonly PackageInput[], locked: readonly PackageInput[]): void {
  const digests = new Map(locked.map(({ name, version, sha256 }) => [`${name}=${version}`, sha256]))
  for (const { name, version, sha256 } of packages) {
    const expected = digests.get(`${name}=${version}`)
    if (expected === sha256) continue
    const facts = { package: name, expected: expected ?? null, found: sha256 }
    const hint = 'take the current versions: build with --refresh and without --locked'
    if (expected === undefined) {
      throw new PlasmError('package-gone', `the rootfs would get ${name}=${version}, which is not locked`, {
        facts,
        hint,
      })
    }
    throw new PlasmError('package-changed', `${name}=${version} is no longer the package it was`, { facts, hint })
  }
}

/** What makes it this machine's: files of images/debian, who may log in, and what systemd starts. */
async function finish(root: string): Promise<void> {
  await cp(join(REPOSITORY, 'images/debian'), root, { recursive: true })
  await mkdir(join(root, 'dev'), { recursive: true })
  await mkdir(join(root, 'etc/plasm'), { recursive: true })
  // systemd makes an id for each boot; the machine's name does not depend on it (agent/machine-name.ts).
  await writeFile(join(root, 'etc/machine-id'), '')
  await symlink('../run/systemd/resolve/stub-resolv.conf', join(root, 'etc/resolv.conf'))
  // root logs in on the console without a password; there is no other way in, and whoever has the console has the machine.
  const shadow = join(root, 'etc/shadow')
  await writeFile(shadow, (await readFile(shadow, 'utf8')).replace(/^root:[^:]*:/m, 'root::'))
  const units = join(root, 'etc/systemd/system')
  for (const unit of MASKED) await link('/dev/null', join(units, unit))
  for (const [unit, by] of Object.entries(ENABLED)) await enableUnit(root, unit, by)
  await link('/usr/lib/systemd/system/multi-user.target', join(units, 'default.target'))
}

/** As `systemctl enable` does, which cannot be asked for another architecture's tree. */
export async function enableUnit(root: string, unit: string, by: string): Promise<void> {
  const wants = join(root, 'etc/systemd/system', `${by}.wants`)
  await mkdir(wants, { recursive: true })
  await link(`/usr/lib/systemd/system/${unit}`, join(wants, unit))
}

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true })
  await symlink(target, path)
}
