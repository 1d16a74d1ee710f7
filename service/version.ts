import { readFileSync } from 'node:fs'

/** Set by the bundler (images/executable.ts); absent when run from source. */
declare const PLASM_BUILD: { readonly version: string; readonly commit: string } | undefined

export interface BuildInfo {
  readonly version: string
  /** Short commit id of the sources, `source` when run from a checkout. */
  readonly commit: string
  readonly node: string
}

export function buildInfo(): BuildInfo {
  const node = process.versions.node
  if (typeof PLASM_BUILD !== 'undefined') return { ...PLASM_BUILD, node }
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return { version: manifest.version, commit: 'source', node }
}

/** One line for `--version`. */
export function versionLine(program: string): string {
  const { version, commit, node } = buildInfo()
  return `${program} ${version} (commit ${commit}, Node ${node})`
}
