import { age } from './age.ts'
import { mib, printable, short } from './log-lines.ts'
import { keeper } from './plasmd-words.ts'
import type { Status } from './status-file.ts'
import { badText, updatesText } from './updates-view.ts'

const COLUMNS = 80
/** The longest label and two spaces. */
const INDENT = 13

const GREEN = '\x1b[32m'
const RED = '\x1b[31m'
const BOLD = '\x1b[1m'
const RESET = '\x1b[0m'

export interface Look {
  readonly colour: boolean
  /** Milliseconds since the epoch: ages are counted up to it. */
  readonly now: number
}

/** One screen that a person reads in five seconds, 80 columns wide: the answer first, then what it rests on. */
export function statusScreen(status: Status, { colour, now }: Look): string {
  const headline = status.ready ? 'ready' : `not ready: ${status.notReadyBecause ?? 'no reason known'}`
  const painted = (line: string) => (colour ? `${BOLD}${status.ready ? GREEN : RED}${line}${RESET}` : line)
  const rows = [
    ...machine(status),
    ...addresses(status),
    ...bootedFrom(status),
    ...lineage(status),
    ...bootSet(status),
    ...updates(status, now),
    ...plasmd(status, now),
    ...memory(status),
    ...disk(status),
    ...report(status, now),
    ...error(status),
    ...agent(status, now),
  ]
  return [...wrap(headline, COLUMNS).map(painted), ...rows.flatMap(labelled), ''].join('\n')
}

type Row = readonly [label: string, text: string]

function machine({ machine, record, advertising }: Status): readonly Row[] {
  const told = advertising ? ', advertised' : ''
  const generation = record ? `, generation ${record.generation}` : ''
  return [['machine', `${machine}${generation}${told}`]]
}

/** Agents of before they were told do not say. */
function addresses({ addresses }: Partial<Pick<Status, 'addresses'>>): readonly Row[] {
  return addresses ? [['addresses', addresses.join(', ') || 'none']] : []
}

function bootedFrom({ record }: Status): readonly Row[] {
  if (!record) return []
  const { provider } = record
  const name = provider.name === null ? '' : `${provider.name}, `
  const proof = provider.provenBy === 'receipt' ? 'proven by its receipt' : 'unproven'
  return [
    [
      'booted from',
      `${provider.url} (${name}generation ${provider.generation}, found by ${provider.discoveredBy}; ${proof})`,
    ],
  ]
}

/** Keys are free to make: who they belong to is known to the harness, and not here. */
function lineage({ peerId, lineage }: Status): readonly Row[] {
  const own = peerId === null ? [] : [['peer id', peerId] as const]
  if (lineage.length === 0) return own
  const path = lineage.map(({ provider }) => `from ${provider}`).join(' ')
  return [...own, ['lineage', `signed claims: booted ${path}`]]
}

function bootSet({ record, artifacts }: Status): readonly Row[] {
  if (!record) return [['set', 'none']]
  const { channel, arch, version, sequence, manifestDigest } = record.set
  const [first, ...others] = artifacts.map(
    ({ role, bytes, hash }): string => `${role.padEnd(10)} ${mib(bytes).padStart(7)} MiB  ${short(hash)}`,
  )
  return [
    ['set', `${channel}/${arch} ${version}, sequence ${sequence}, ${short(manifestDigest)}`],
    ...(first === undefined ? [] : [['artifacts', first] as const]),
    ...others.map((line) => ['', line] as const),
    ['handover', `${record.handover}, ${mib(record.set.bytes)} MiB`],
  ]
}

/** Looked for while this machine is ready: what was known before is of no use to one that is not. */
function updates({ ready, updates }: Status, now: number): readonly Row[] {
  if (updates === null || !ready) return []
  return [
    ['newer sets', updatesText(updates, now)],
    ...updates.bad.map((set) => ['bad set', badText(set, now)] as const),
  ]
}

function plasmd({ plasmd }: Status, now: number): readonly Row[] {
  if (!plasmd) return [['plasmd', 'not started']]
  const { pid, startedAt, restarts, lastExit, url, bytesServed, requests, foreign, managedBy } = plasmd
  const state = stateOf(plasmd, now)
  const facts = [
    `${foreign ? 'foreign, ' : ''}${pid === null ? state : `${state}, pid ${pid}`}`,
    ...(startedAt === null ? [] : [`up ${age(startedAt, now)}`]),
    `${restarts} restart${restarts === 1 ? '' : 's'} by ${keeper(managedBy)}`,
    ...(lastExit === null ? [] : [`last ended: ${lastExit}`]),
  ]
  const served = bytesServed === null ? '' : `; served ${mib(bytesServed)} MiB in ${requests ?? '?'} requests`
  return [
    ['plasmd', facts.join(', ')],
    ['', `${url}${served}`],
  ]
}

/** `backoff` is a word of programs. */
function stateOf({ state, nextStartAt }: NonNullable<Status['plasmd']>, now: number): string {
  if (state !== 'backoff') return state
  const seconds = nextStartAt === null ? 0 : Math.ceil((Date.parse(nextStartAt) - now) / 1000)
  return `ended, is started again${seconds > 0 ? ` in ${seconds} s` : ''}`
}

function memory({ memory }: Status): readonly Row[] {
  const { totalMiB, availableMiB, lowestAvailableMiB, budget } = memory
  const counted = budget && budget.needMiB > 0 ? `; fetch stage needed ${budget.needMiB} of ${budget.availableMiB}` : ''
  return [['memory', `${availableMiB} of ${totalMiB} MiB available, lowest ${lowestAvailableMiB}${counted}`]]
}

/** Agents of before there were data disks do not say. */
function disk({ disk }: Partial<Pick<Status, 'disk'>>): readonly Row[] {
  if (!disk) return [['disk', 'no data disk']]
  const { device, freeMiB, totalMiB, readOnly } = disk
  return [['disk', `${device}, ${freeMiB} of ${totalMiB} MiB free${readOnly ? ', READ-ONLY' : ''}`]]
}

function report({ lastReport }: Status, now: number): readonly Row[] {
  if (!lastReport) return [['last report', 'none asked for']]
  const { type, at, delivered, error } = lastReport
  return [['last report', `${type} ${delivered ? 'delivered' : `not delivered: ${error}`}, ${age(at, now)} ago`]]
}

function error({ ready, notReadyBecause, lastError }: Status): readonly Row[] {
  if (ready || !lastError) return []
  const { step, code, message, hint } = lastError
  const saidAbove = notReadyBecause?.includes(`[${code}]`) === true
  return [
    ...(saidAbove ? [] : [['error', `${step}: ${message} [${code}]`] as const]),
    ...(hint === undefined ? [] : [['next', hint] as const]),
  ]
}

function agent({ agent, stage, step }: Status, now: number): readonly Row[] {
  return [
    [
      'agent',
      `pid ${agent.pid}, up ${age(agent.startedAt, now)}, ${stage} stage at ${step}, ${agent.version} (${agent.commit})`,
    ],
  ]
}

/** Lines of at most 80 columns behind a label; only a word longer than that is wider. Runs of spaces stay. */
function labelled([label, text]: Row): readonly string[] {
  return wrap(text, COLUMNS - INDENT).map((line, at) => `${(at === 0 ? label : '').padEnd(INDENT)}${line}`)
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of printable(text).split(/ (?=\S)/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
