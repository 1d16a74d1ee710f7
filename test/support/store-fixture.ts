import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { TestContext } from 'node:test'
import type { StageRequest } from '../../agent/stage.ts'
import { hostArch } from '../../service/arch.ts'
import { artifactsOf, parseManifest, sha256Of } from '../../service/manifest.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet, type TestSet, type TestSetOptions } from './boot-set.ts'
import { DISK_DIR } from './disk-dir.ts'

/** A store, and sets in directories to stage into it. */
export interface StoreFixture {
  readonly directory: string
  readonly store: string
  readonly sources: NonNullable<StageRequest['sources']>
  readonly trustFile: string
  /** Makes a set and lays it into a directory of its own. */
  put(
    name: string,
    options?: TestSetOptions,
  ): Promise<{ readonly dir: string; readonly digest: string; readonly set: TestSet }>
  request(dir: string): StageRequest
}

export async function makeStoreFixture(t: TestContext): Promise<StoreFixture> {
  const directory = await mkdtemp(join(DISK_DIR, 'plasm-store-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const at = (name: string) => join(directory, name)
  const store = at('store')
  await mkdir(store, { mode: 0o755 })
  await writeFile(at('cmdline'), '\n')
  await writeFile(at('policy.toml'), 'allow_unsigned = true\n')
  await writeFile(at('agent.toml'), `store_root = ${JSON.stringify(store)}\n`)
  const sources = {
    cmdlineFile: at('cmdline'),
    tomlFile: at('agent.toml'),
    netDir: at('net'),
    machineIdFile: at('machine-id'),
  }
  const trustFile = at('policy.toml')
  return {
    directory,
    store,
    sources,
    trustFile,
    async put(name, options) {
      const set = makeSet({ kernelBytes: 70_001, agentBytes: 66_000, ...options })
      await layOut(at(name), set)
      return { dir: at(name), digest: sha256Of(set.manifest), set }
    },
    request: (dir) => ({ directory: dir, sources, trustFile }),
  }
}

export async function layOut(dir: string, set: TestSet): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o755 })
  for (const [name, bytes] of Object.entries(set.files)) await writeFile(join(dir, name), bytes, { mode: 0o644 })
  await writeFile(join(dir, 'manifest.json'), set.manifest, { mode: 0o644 })
}

/**
 * What a store serves, read without any of the code that wrote it.
 * @returns the manifest digest of a whole set, `nothing`, or what is wrong with it
 */
export async function servedBy(store: string): Promise<string> {
  const link = storePaths(store).link('stable', hostArch())
  const target = await readlink(link).catch(() => undefined)
  if (target === undefined) return 'nothing'
  const dir = resolve(dirname(link), target)
  const bytes = await readFile(join(dir, 'manifest.json')).catch(() => undefined)
  if (!bytes) return `${target} has no manifest`
  const digest = sha256Of(bytes)
  if (!dir.endsWith(digest.slice('sha256:'.length))) return `${target} has a wrong manifest of ${bytes.length} bytes`
  for (const { filename, hash } of artifactsOf(parseManifest(bytes))) {
    const content = await readFile(join(dir, filename)).catch(() => undefined)
    if (!content) return `${target} has no ${filename}`
    const found = `sha256:${createHash('sha256').update(content).digest('hex')}`
    if (found !== hash) return `${target} has a wrong ${filename} of ${content.length} bytes`
  }
  return digest
}

/** Names under `.sets`: digests, and what is half written. */
export const setsIn = async (store: string): Promise<readonly string[]> =>
  (await readdir(storePaths(store).sets).catch(() => [])).sort()

export const hex = (digest: string): string => digest.slice('sha256:'.length)
