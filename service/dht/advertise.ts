import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalArch } from '../arch.ts'
import { asPlasmError, PlasmError } from '../errors.ts'
import type { NodeKey } from '../node-key.ts'
import type { BootstrapPeer } from './bootstrap-peer.ts'
import { recordKeys } from './keys.ts'
import type { DhtListen } from './libp2p-node.ts'
import { createDhtNode, type DhtNode } from './node.ts'
import type { ProviderDocument } from './provider-document.ts'
import { answerProvider } from './provider-protocol.ts'
import { keepPublished, PUBLISH_TIMING, type PublishTiming } from './publish.ts'

/** A port that is taken may be let go of; the machine may come to have the address. */
const RETRY_FIRST_MS = 1_000
const RETRY_LAST_MS = 60_000
/** What still runs at a stop is cut then. */
const STOP_WITHIN_MS = 1_500
/** A bootstrap peer that is there has answered by then, in an emulated machine, too. */
const ALONE_AFTER_MS = 15_000
/** How old an answer to those who ask may be. */
const ANSWER_AGAIN_AFTER_MS = 1_000

/** As pino's, and no more of it: the agent's log has another form. */
export interface DhtLog {
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}

export interface DhtAdvertised {
  readonly key: NodeKey
  readonly listen: DhtListen
  readonly bootstrap: readonly BootstrapPeer[]
  /** What is provided at the moment; none, and the node only takes part in the DHT. */
  readonly provided: () => Promise<readonly ProviderDocument[]>
  /** Transfers that run, for whoever asks; null: not known. */
  readonly load: () => Promise<number | null>
  readonly log: DhtLog
  readonly timing?: PublishTiming
}

export interface DhtAdvertisement {
  /** TCP port of the node, or null while there is none. */
  port(): number | null
  /** Nothing is put any more, and the node leaves. */
  stop(): Promise<void>
}

/**
 * Takes part in the DHT as a server, and keeps what is provided findable there. Nothing that fails ends it: a port that is taken is
 * logged and tried again.
 */
export function advertiseByDht(options: DhtAdvertised): DhtAdvertisement {
  const stop = new AbortController()
  let node: DhtNode | undefined
  const run = async () => {
    node = await startNode(options, stop.signal)
    if (!node) return
    const { libp2p, port } = node
    const { log, provided, timing = PUBLISH_TIMING } = options
    log.info({ port, peerId: libp2p.peerId.toString(), bootstrap: options.bootstrap.length }, 'taking part in the DHT')
    tellIfAlone(node, options, stop.signal)
    const [told, load] = [notMoreOften(provided), notMoreOften(options.load)]
    await answerProvider(libp2p, async (place) => {
      const arch = place && canonicalArch(place.archName)
      const fits = (one: ProviderDocument) => one.channel === place?.channel && canonicalArch(one.arch) === arch
      const found = place ? (await told()).find(fits) : (await told())[0]
      return found && { ...found, load: await load() }
    })
    const wanted = async () => (await provided()).flatMap(wantedOf)
    const logged = new Set<string>()
    const onPublished = ({ key, url, peers }: { key: string; url: string; peers: number }) => {
      // What nobody else keeps yet is told again once somebody does.
      const what = `${key} ${url} ${peers > 0}`
      if (logged.has(what)) return
      logged.add(what)
      log.info({ key, url, peers }, 'advertising by the DHT')
    }
    await keepPublished(libp2p, wanted, stop.signal, onPublished, timing)
  }
  const running = run().catch((thrown: unknown) => {
    const { code, message } = asPlasmError(thrown)
    options.log.warn({ code }, message)
  })
  return {
    port: () => node?.port ?? null,
    async stop() {
      stop.abort()
      await Promise.race([running, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
      await Promise.race([node?.stop(), sleep(STOP_WITHIN_MS, undefined, { ref: false })])
    },
  }
}

/** Peers that are tried for ever, and never answer, look like ones that are merely quiet. */
function tellIfAlone({ libp2p }: DhtNode, { bootstrap, log }: DhtAdvertised, signal: AbortSignal): void {
  const look = () => {
    if (signal.aborted || bootstrap.length === 0 || libp2p.getConnections().length > 0) return
    const hint = 'see that plasmd serves there, and that its TCP port (4001 unless it says otherwise) can be reached'
    log.warn(
      { bootstrap, hint },
      `no node of the DHT answers yet, ${ALONE_AFTER_MS / 1000} s after the start; trying on`,
    )
  }
  setTimeout(look, ALONE_AFTER_MS).unref()
}

/** @returns undefined where it was asked to stop before */
async function startNode(
  { key, listen, bootstrap, log }: DhtAdvertised,
  signal: AbortSignal,
): Promise<DhtNode | undefined> {
  for (let pause = RETRY_FIRST_MS; !signal.aborted; pause = Math.min(pause * 2, RETRY_LAST_MS)) {
    try {
      return await createDhtNode({ key, listen, bootstrap, signal })
    } catch (thrown) {
      const { code, message, hint } = cannotListen(listen, thrown as Error)
      log.warn({ code, hint, tryAgainInSeconds: pause / 1000 }, message)
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }
  return undefined
}

/** Anybody may ask as often as they like, and finding out takes reading files. */
function notMoreOften<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined
  let at = 0
  return () => {
    if (!found || performance.now() - at >= ANSWER_AGAIN_AFTER_MS) {
      found = find()
      at = performance.now()
    }
    return found
  }
}

function cannotListen({ host, port }: DhtListen, cause: Error): PlasmError {
  return new PlasmError('dht-cannot-listen', `the DHT cannot listen on ${host}, TCP port ${port}: ${briefly(cause)}`, {
    facts: { bind: host, port },
    hint: `end what listens there (\`ss -ltnp sport = :${port}\` names it), choose another port (--dht-port, dht_port in agent.toml), or do without (--no-dht)`,
    cause,
  })
}

/** libp2p's message has advice for programmers, and the stack of each address. */
const briefly = ({ message }: Error): string => /\bE[A-Z]{3,}\b/.exec(message)?.[0] ?? message.split('\n', 1)[0]!

function wantedOf({ channel, arch, urls }: ProviderDocument): ReadonlyArray<{ key: Uint8Array; url: string }> {
  const known = canonicalArch(arch)
  const url = urls[0]
  if (known === undefined || url === undefined) return []
  return recordKeys(channel, known).map(({ bytes }) => ({ key: bytes, url }))
}
