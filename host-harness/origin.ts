import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { DHT_PORT } from '../service/dht/bootstrap-peer.ts'
import { PlasmError } from '../service/errors.ts'
import { openNodeKey } from '../service/node-key.ts'
import { ORIGIN, type Participant, PROVIDER_PORT } from './addresses.ts'
import type { ChainSpec } from './chain-spec.ts'
import { servedBytes } from './provider-status.ts'
import { usesDht } from './topology.ts'

const PLASMD = fileURLToPath(new URL('../service/plasmd.ts', import.meta.url))
const START_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 50
/** plasmd gives running transfers 10 s; whoever supervises it kills after 15 (DESIGN). */
const STOP_WITHIN_MS = 15_000

export interface Origin {
  /** Of the key that the harness made for it. */
  readonly peerId: string
  stop(): Promise<void>
}

/** Those of `plasmd serve` for an origin. The first node of a DHT has nobody to bootstrap from. */
export function originArguments(
  { publishedDir, channel, arch, discovery }: Pick<ChainSpec, 'publishedDir' | 'channel' | 'arch' | 'discovery'>,
  address: string,
  identity: string,
): readonly string[] {
  return [
    ...['serve', '--artifacts', publishedDir, '--identity', identity, '--channel', channel, '--arch', arch],
    ...['--bind', address, '--port', String(PROVIDER_PORT)],
    ...(usesDht(discovery) ? ['--dht-port', String(DHT_PORT)] : ['--no-dht']),
  ]
}

/**
 * Starts the origin, `plasmd serve` of the published set, with mDNS and, where the machines use one, the DHT, where the network put it; returns once it answers.
 * @param place who else it is, for a second one
 * @throws PlasmError `origin-failed`
 */
export async function startOrigin(
  inOrigin: readonly string[],
  spec: ChainSpec,
  place: Pick<Participant, 'name' | 'address'> = ORIGIN,
): Promise<Origin> {
  const identity = join(spec.runDir, `${place.name}.node-key`)
  const { peerId } = await openNodeKey(identity)
  const log = join(spec.runDir, `${place.name}.log`)
  const command = [process.execPath, PLASMD, ...originArguments(spec, place.address, identity)]
  const [program, ...args] = [...inOrigin, ...command]
  const plasmd = execa(program!, args, {
    stdin: 'ignore',
    stdout: { file: log },
    stderr: { file: log, append: true },
    reject: false,
    forceKillAfterDelay: STOP_WITHIN_MS,
  })
  let ended: string | undefined
  plasmd.then(({ shortMessage }) => {
    ended = shortMessage ?? 'it ended'
  })
  const deadline = performance.now() + START_WITHIN_MS
  while ((await servedBytes(place.address)) === null) {
    if (ended === undefined && performance.now() < deadline) {
      await sleep(LOOK_EVERY_MS)
      continue
    }
    plasmd.kill('SIGKILL')
    throw new PlasmError('origin-failed', `${place.name} does not answer: ${ended ?? 'no answer in time'}`, {
      facts: { step: 'origin', machine: place.name },
      hint: `see ${log}`,
    })
  }
  return {
    peerId,
    async stop() {
      plasmd.kill('SIGTERM')
      await plasmd
    },
  }
}
