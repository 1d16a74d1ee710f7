import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build as bundle, type Plugin } from 'esbuild'
import { execa } from 'execa'
import { NODE_VERSION } from './arch-table.ts'
import { REPOSITORY } from './files.ts'

/** What goes into the executable. */
export interface Scripts {
  /** What runs at its start. */
  readonly script: string
  /** Name -> file of what lies beside it and is read when it is asked for (node:sea). */
  readonly assets: Readonly<Record<string, string>>
}

/** Makes them of the sources, each one CommonJS file that needs nothing but Node. */
export async function bundleScripts(directory: string): Promise<Scripts> {
  const [script, dht] = [join(directory, 'plasm.cjs'), join(directory, 'dht.cjs')]
  await bundleScript('images/snapshot/main.ts', script, [loadedFromAsset(LIBP2P)])
  await bundleScript(LIBP2P, dht)
  return { script, assets: { 'dht.cjs': dht } }
}

/** What is loaded where the DHT is in use, and else not even read. */
const LIBP2P = 'service/dht/libp2p.ts'

async function bundleScript(entry: string, outfile: string, plugins: Plugin[] = []): Promise<void> {
  await bundle({
    absWorkingDir: REPOSITORY,
    entryPoints: [entry],
    outfile,
    plugins,
    bundle: true,
    platform: 'node',
    target: `node${NODE_VERSION}`,
    format: 'cjs',
    // In a startup snapshot `import()` of Node's own modules has nobody to load them; `require` has.
    supported: { 'dynamic-import': false },
    minify: true,
    // An uncaught error prints its source line: keep lines short enough to read.
    lineLimit: 200,
    alias: {
      'node:http2': './images/left-out.cjs',
      'thread-stream': './images/left-out.cjs',
      'node:http': './images/snapshot/node-http.cjs',
    },
    banner: { js: 'var require = process.getBuiltinModule;' },
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'import.meta.url': '""', PLASM_BUILD: JSON.stringify(await version()) },
  })
}

/** A source file that is a script of its own in the executable: dht-asset.cjs loads it. */
function loadedFromAsset(file: string): Plugin {
  return {
    name: 'asset',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
        resolve(resolveDir, path) === join(REPOSITORY, file)
          ? { path: join(REPOSITORY, 'images/dht-asset.cjs') }
          : undefined,
      )
    },
  }
}

/** Version from package.json; commit of the last change to what goes into the bundle, so that others rebuild nothing. */
async function version(): Promise<{ version: string; commit: string }> {
  const manifest = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
  const sources = ['agent', 'service', 'package-lock.json']
  const git = (args: readonly string[]) => execa('git', args, { cwd: REPOSITORY, reject: false })
  const [commit, changes] = await Promise.all([
    git(['log', '-1', '--format=%h', '--abbrev=12', '--', ...sources]),
    git(['status', '--porcelain', '--', ...sources]),
  ])
  if (commit.failed || commit.stdout === '') return { version: manifest.version, commit: 'unknown' }
  return { version: manifest.version, commit: changes.stdout === '' ? commit.stdout : `${commit.stdout}+changes` }
}
