import { ownUrls } from './own-urls.ts'
import { printable } from './printable.ts'
import type { ServedSet } from './status.ts'

export interface Serving {
  readonly artifacts: string
  readonly bind: string
  readonly port: number
  readonly sets: readonly ServedSet[]
  readonly own?: ReadonlySet<string>
}

/** What `plasmd serve` says on a terminal once it serves: where others reach it, and what it has. */
export function servingLines({ artifacts, bind, port, sets, own }: Serving): readonly string[] {
  const urls = ownUrls(bind, port, own)
  const isLocal = /^(127\.|::1$|localhost$)/.test(bind)
  const places =
    urls.length === 0
      ? [`  http://127.0.0.1:${port} on this machine alone: it has no other address yet`]
      : urls.map((url) => `  ${url}${isLocal ? ' on this machine alone, as --bind says' : ''}`)
  const served = sets.map((set) => `  ${set.channel}/${set.arch}: ${described(set)}`)
  return [`plasmd serves ${artifacts} at`, ...places, ...served, 'Ctrl-C stops it'].map((line) => printable(line))
}

function described({ version, sequence, manifest_digest }: ServedSet): string {
  if (version !== null) return `version ${version}${sequence === null ? '' : `, sequence ${sequence}`}`
  return manifest_digest === null
    ? 'no manifest; who asks gets one that nobody signed (plasmd manifest generate, then sign)'
    : 'its manifest cannot be read (plasmd manifest show says why)'
}

/** Of every record of the log: which program, where and when a person knows. `serving` is told by {@link servingLines}. */
const KNOWN = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'hint', 'err'])
const WARNING = 40

/** A record of the log for a person; none for what is said otherwise. @param text one JSON line of pino's */
export function recordLines(text: string): readonly string[] {
  const record = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { msg, hint, level, err } = record
  if (msg === 'serving') return []
  const facts = Object.entries(record).filter(([name]) => !KNOWN.has(name))
  const told = facts.map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const problem = (err as { message?: string } | undefined)?.message
  const all = [...(problem === undefined ? [] : [problem]), ...told].join(', ')
  const line = `${Number(level) >= WARNING ? 'warning: ' : ''}${msg}${all === '' ? '' : ` (${all})`}`
  return [line, ...(typeof hint === 'string' ? [`  ${hint}`] : [])].map((one) => printable(one, 1000))
}
