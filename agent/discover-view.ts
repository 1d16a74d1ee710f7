import { printable, short } from './log-lines.ts'
import type { Discovered, Survey } from './survey.ts'

const GREEN = '\x1b[32m'
const RED = '\x1b[31m'
const RESET = '\x1b[0m'
/** What addressProblem says of it. */
const IS_ITSELF = / is this machine itself$/
const ITSELF = 'this machine itself, not counted'
const INDENT = '    '
const NOBODY =
  'start a provider on this link, let UDP 5353 pass, or name one with phase.provider=; plasm-agent doctor looks at this machine'

const NO_DHT =
  'name a node that runs with phase.bootstrap=192.0.2.1:4001, and see that its TCP port can be reached; any plasmd serve is one'

/** Two lines or more for each provider: where and what it is, what becomes of it, and what it claims. */
export function discoveredLines({ channel, arch, mode, providers, dht }: Survey, colour: boolean): readonly string[] {
  const usable = providers.filter(({ verified }) => verified !== null).length
  const others = providers.filter(({ self }) => !self)
  const count = `${others.length} provider${others.length === 1 ? '' : 's'} of ${channel}/${arch}, ${usable} to boot from (phase.mode=${mode})`
  const advice = usable > 0 ? [] : [NOBODY]
  const lines = [...others, ...providers.filter(({ self }) => self)].flatMap((provider) =>
    linesOf(provider, samePeer(provider, providers), colour),
  )
  return [count, ...lines, ...dhtLines(dht), ...advice]
}

/** What the DHT names is in the list already; that it could not be asked is nowhere else. */
function dhtLines(dht: Survey['dht']): readonly string[] {
  if (dht === null || dht.joined) return []
  return [
    'the DHT could not be joined:',
    ...dht.problems.map((one) => `${INDENT}${printable(one)}`),
    `${INDENT}${NO_DHT}`,
  ]
}

/** URLs of the others with its key: one machine at two addresses, or two that have one key, or a liar. */
function samePeer({ url, claims }: Discovered, providers: Survey['providers']): readonly string[] {
  if (claims.peerId === null) return []
  return providers.filter((other) => other.url !== url && other.claims.peerId === claims.peerId).map(({ url }) => url)
}

function linesOf(provider: Discovered, twins: readonly string[], colour: boolean): readonly string[] {
  const { url, source, name, onLink, latencyMs, verified, self } = provider
  const place = onLink === null ? '' : onLink ? ', on this link' : ', behind a router'
  const latency = latencyMs === null ? '' : `, manifest in ${latencyMs} ms`
  const head = `${url}  ${name ?? 'unnamed'}  by ${source}${place}${latency}`
  const paint = (line: string) => (colour && !self ? `${verified ? GREEN : RED}${line}${RESET}` : line)
  const has = verified
    ? `${INDENT}has sequence ${verified.sequence}, ${short(verified.manifestDigest)}, verified`
    : undefined
  const claims = claimsOf(provider)
  return [
    printable(head),
    `${INDENT}${paint(printable(verdictOf(provider)))}`,
    ...(has === undefined ? [] : [has]),
    ...(claims === '' ? [] : [`${INDENT}says: ${printable(claims)}`]),
    ...(twins.length === 0 ? [] : [`${INDENT}says that it is the same peer as ${printable(twins.join(', '))}`]),
  ]
}

function verdictOf({ self, verdict }: Discovered): string {
  if (!self) return verdict
  return IS_ITSELF.test(verdict) ? ITSELF : `${ITSELF}; ${verdict}`
}

function claimsOf({ claims }: Discovered): string {
  const { generation, sequence, version, load, peerId } = claims
  const facts = [
    generation === null ? '' : generation === 0 ? 'an origin' : `generation ${generation}`,
    version === null ? '' : `version ${version}`,
    sequence === null ? '' : `sequence ${sequence}`,
    load === null ? '' : `${load} transfer${load === 1 ? '' : 's'} running`,
    peerId === null ? '' : `peer ${peerId}`,
  ]
  return facts.filter((fact) => fact !== '').join(', ')
}
