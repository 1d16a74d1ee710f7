import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'

/** Where the initramfs lists the modules of a group, dependencies first, one path a line (init/init reads it). */
const loadOrderFile = (group: string): string => `lib/modules/load-order.${group}`

/**
 * Copies the named modules and all that they depend on out of a kernel package's tree, decompressed, and writes the order
 * in which to load them, group by group. Modules that the kernel has built in are left out.
 * @param groups group -> names
 * @throws PlasmError `module-missing`
 */
export async function copyModules(
  kernelTree: string,
  groups: Readonly<Record<string, readonly string[]>>,
  root: string,
): Promise<void> {
  const modulesDir = await modulesBase(kernelTree)
  const release = (await readdir(modulesDir))[0]!
  const from = join(modulesDir, release)
  await execa('depmod', ['--basedir', dirname(dirname(modulesDir)), release])
  const dependencies = parseModulesDep(await readFile(join(from, 'modules.dep'), 'utf8'))
  const builtin = new Set((await readFile(join(from, 'modules.builtin'), 'utf8')).split('\n').map(moduleName))
  const copied = new Set<string>()
  for (const [group, names] of Object.entries(groups)) {
    const order = loadOrder(names, dependencies, builtin).filter((path) => !copied.has(path))
    const loaded: string[] = []
    for (const path of order) {
      const target = join('lib/modules', release, path.replace(/\.(xz|zst|gz)$/, ''))
      await mkdir(join(root, dirname(target)), { recursive: true })
      await copyDecompressed(join(from, path), join(root, target))
      copied.add(path)
      loaded.push(`/${target}\n`)
    }
    await writeFile(join(root, loadOrderFile(group)), loaded.join(''))
  }
}

/** modules.dep (depmod(8)): module path -> paths that it needs, the one needed most deeply last. */
export function parseModulesDep(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n').filter((line) => line.includes(':'))
  return new Map(
    lines.map((line) => {
      const [path, needs] = line.split(':')
      return [path!, needs!.trim().split(/\s+/).filter(Boolean)]
    }),
  )
}

/** Paths to load, each after all that it needs and none twice. @throws PlasmError `module-missing` */
export function loadOrder(
  names: readonly string[],
  dependencies: ReadonlyMap<string, readonly string[]>,
  builtin: ReadonlySet<string>,
): readonly string[] {
  const paths = new Map([...dependencies.keys()].map((path) => [moduleName(path), path]))
  const order = new Set<string>()
  for (const name of names) {
    if (builtin.has(name)) continue
    const path = paths.get(name)
    if (!path) {
      throw new PlasmError('module-missing', `the kernel package has no module ${name}`, { facts: { module: name } })
    }
    for (const needed of [...dependencies.get(path)!].reverse()) order.add(needed)
    order.add(path)
  }
  return [...order]
}

/** `kernel/drivers/virtio/virtio-pci.ko.xz` -> `virtio_pci`: file names and module names mix dashes and underscores. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.(xz|zst|gz))?$/, '')
    .replaceAll('-', '_')
}

async function modulesBase(tree: string): Promise<string> {
  for (const dir of ['lib/modules', 'usr/lib/modules']) {
    if (await readdir(join(tree, dir)).catch(() => undefined)) return join(tree, dir)
  }
  throw new PlasmError('module-missing', 'the kernel package has no modules directory', {
    facts: { tree: basename(tree) },
  })
}

const DECOMPRESSORS: Readonly<Record<string, string>> = { xz: 'xz', zst: 'zstd', gz: 'gzip' }

async function copyDecompressed(from: string, to: string): Promise<void> {
  const program = DECOMPRESSORS[from.slice(from.lastIndexOf('.') + 1)]
  if (!program) return cp(from, to)
  await execa(program, ['-dc', from], { stdout: { file: to } })
}
