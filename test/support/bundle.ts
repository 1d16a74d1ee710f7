import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const REPO = resolve(import.meta.dirname, '../..')

/**
 * A program of test/support as one file, which starts faster than its sources and runs where there are none.
 * @param replace file of agent/ -> file of test/support that takes its place; only what is bundled here ever has it
 */
export async function bundle(
  program: string,
  outfile: string,
  replace: Readonly<Record<string, string>> = {},
): Promise<void> {
  const replaced = new Map(
    Object.entries(replace).map(([file, by]) => [join(REPO, 'agent', file), join(REPO, 'test/support', by)]),
  )
  const used = new Set<string>()
  await build({
    absWorkingDir: REPO,
    entryPoints: [join('test/support', program)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
    define: { PLASM_BUILD: JSON.stringify({ version: '0', commit: 'test' }) },
    plugins: [
      {
        name: 'replace',
        setup({ onResolve }) {
          onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
            const by = replaced.get(resolve(resolveDir, path))
            if (by !== undefined) used.add(by)
            return by === undefined ? undefined : { path: by }
          })
        },
      },
    ],
  })
  const unused = [...replaced.values()].filter((by) => !used.has(by))
  if (unused.length > 0) throw new Error(`nothing was replaced by ${unused.join(', ')}`)
}
