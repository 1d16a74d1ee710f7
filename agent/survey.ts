import { asPlasmError } from '../service/errors.ts'
import type { FoundProvider } from '../service/found-provider.ts'
import { type BrowseCounts, noCounts } from '../service/mdns-browse.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import { readTrustPolicy } from '../service/trust-policy.ts'
import { hostAndPort } from '../service/url-host.ts'
import { reachBootstrap } from './bootstrap-reach.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import { type CandidateLog, createCandidateLog } from './candidate-log.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { asksDht, lookAround } from './discover.ts'
import { createManifestAsker, type ManifestAnswer } from './fetch-manifests.ts'
import { readSeen } from './freshness-file.ts'
import { type Choice, rank } from './rank.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import { type DhtState, dhtState } from './source-dht.ts'
import { STATE_DIRECTORY } from './state-directory.ts'

/** Long enough for the second mDNS query's answers (RFC 6762, 5.2), and for a lookup in a DHT. */
const LOOK_MS = 4_000

export interface SurveyRequest {
  readonly trustFile?: string | undefined
  readonly sources?: ConfigSources
  readonly stateDirectory?: string
  readonly lookMs?: number
  /** Whose links are browsed; only tests give it. */
  readonly addresses?: () => ReadonlySet<string>
}

/** A provider as it was found, asked and judged now. */
export interface Discovered {
  readonly url: string
  readonly source: Candidate['source']
  readonly name: string | null
  readonly onLink: boolean | null
  /** Whether it is rejected and at an address of this machine: mostly what its own plasmd advertises. */
  readonly self: boolean
  /** What it says of itself; nothing of it is proven. */
  readonly claims: FoundProvider['claims']
  /** From asking for its manifest to having it; null where it was not asked or gave none. */
  readonly latencyMs: number | null
  /** Of its manifest, where this machine accepts it. */
  readonly verified: { readonly sequence: number; readonly manifestDigest: string } | null
  /** `first`, `ranked <n>: <why not first>`, `rejected: <why>`. */
  readonly verdict: string
}

/** Who is in reach. */
export interface Survey {
  readonly at: string
  readonly channel: string
  readonly arch: string
  readonly mode: string
  /** In the order in which they would be tried; those that would not come last. */
  readonly providers: readonly Discovered[]
  /** Answers that came by mDNS, and what came that was no use and was ignored. */
  readonly mdns: BrowseCounts
  /** Null where phase.mode does not ask the DHT. */
  readonly dht: DhtOutcome | null
}

/** Whether the DHT could be asked at all. */
export interface DhtOutcome {
  readonly joined: boolean
  /** Why it was not joined: one sentence for each node that was tried. */
  readonly problems: readonly string[]
}

/**
 * Looks around as a booting machine does, for longer, and asks and judges everybody.
 * @throws PlasmError `config-invalid` | those of trust-policy.ts
 */
export async function survey(request: SurveyRequest = {}): Promise<Survey> {
  const { sources, trustFile, stateDirectory = STATE_DIRECTORY, lookMs = LOOK_MS, addresses = ownAddresses } = request
  const config = await readConfig(sources)
  const policy = await readTrustPolicy(trustFile)
  const log = createCandidateLog(() => {})
  const asker = createManifestAsker(config, policy)
  const asked = new Map<string, Promise<Asked>>()
  const all = new Map<string, Candidate | RejectedCandidate>()
  const mdns = noCounts()
  const onFound = (candidate: Candidate | RejectedCandidate) => {
    log.found(candidate)
    all.set(candidate.url, candidate)
    if (!('reason' in candidate)) asked.set(candidate.url, ask(asker, candidate))
  }
  const state = dhtState()
  const table = await lookAround(config, onFound, lookMs, addresses, mdns, state)
  const dht = asksDht(config) ? await dhtOutcome(config, state) : null
  for (const candidate of table.candidates()) all.set(candidate.url, candidate)
  const answers = await Promise.all(asked.values())
  const judging = { policy, config, log, seen: await readSeen(stateDirectory) }
  const ranked = rank(accepted(answers, judging), config.machine)
  log.ranked(ranked)
  const urls = ranked.map(({ candidate }) => candidate.url)
  const own = addresses()
  const place = (url: string) => (urls.includes(url) ? urls.indexOf(url) : urls.length)
  const verdicts = new Map(log.verdicts().map(({ url, verdict }) => [url, verdict]))
  const providers = [...all.values()]
    .sort((a, b) => place(a.url) - place(b.url) || a.url.localeCompare(b.url))
    .map((candidate) =>
      describe(
        candidate,
        own,
        answers.find(({ answer }) => answer.candidate.url === candidate.url),
        ranked.find((choice) => choice.candidate.url === candidate.url),
        verdicts.get(candidate.url) ?? 'found',
      ),
    )
  const { channel, arch, mode } = config
  return { at: new Date().toISOString(), channel, arch, mode, providers, mdns, dht }
}

/** Joining tells no reasons: whoever was to be joined by is tried once more, by TCP alone. */
async function dhtOutcome({ bootstrap }: AgentConfig, { joined, neighbours }: DhtState): Promise<DhtOutcome> {
  if (joined) return { joined, problems: [] }
  const peers = [...new Set([...bootstrap, ...neighbours])]
  if (peers.length === 0) {
    return { joined, problems: ['there is nobody to join it by: phase.bootstrap= names no node, nor does a neighbour'] }
  }
  const reach = await reachBootstrap(peers)
  return {
    joined,
    problems: reach.map(
      ({ peer, problem }) =>
        `${peer}: ${problem ?? 'something listens there, and has not answered as a node of the DHT'}`,
    ),
  }
}

interface Asked {
  readonly answer: ManifestAnswer
  readonly milliseconds: number
}

async function ask(asker: ReturnType<typeof createManifestAsker>, candidate: Candidate): Promise<Asked> {
  const since = performance.now()
  const [answer] = await asker.answers([candidate])
  return { answer: answer!, milliseconds: Math.round(performance.now() - since) }
}

interface Judging {
  readonly policy: Parameters<typeof onlyAccepted>[1]
  readonly config: AgentConfig
  readonly log: CandidateLog
  readonly seen: Awaited<ReturnType<typeof readSeen>>
}

/** None where all are turned down: the log has each one's reason. */
function accepted(answers: readonly Asked[], { policy, config, log, seen }: Judging): readonly Choice[] {
  if (answers.length === 0) return []
  try {
    const answered = onlyAnswered(
      answers.map(({ answer }) => answer),
      log,
    )
    return onlyAccepted(answered, policy, config, log, { seen })
  } catch (thrown) {
    asPlasmError(thrown)
    return []
  }
}

/** Empty where a peer of the DHT says no URL. */
const hostOf = ({ url, reach }: Candidate): string => reach ?? (URL.canParse(url) ? hostAndPort(new URL(url)).host : '')

function describe(
  candidate: Candidate | RejectedCandidate,
  own: ReadonlySet<string>,
  asked: Asked | undefined,
  choice: Choice | undefined,
  verdict: string,
): Discovered {
  const told = asked?.answer.candidate ?? candidate
  return {
    url: candidate.url,
    source: candidate.source,
    name: told.name,
    onLink: candidate.onLink ?? null,
    self: 'reason' in candidate && own.has(hostOf(candidate)),
    claims: {
      generation: told.generation,
      sequence: candidate.sequence ?? null,
      version: candidate.version ?? null,
      load: candidate.load ?? null,
      set: candidate.set ?? null,
      peerId: candidate.peerId ?? null,
    },
    latencyMs: asked && 'raw' in asked.answer ? asked.milliseconds : null,
    verified: choice ? { sequence: choice.verified.manifest.sequence, manifestDigest: choice.verified.digest } : null,
    verdict: verdict.replace(/^ranked 1$/, 'first'),
  }
}
