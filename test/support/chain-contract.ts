import * as v from 'valibot'

/**
 * What `chain --json` prints when it proved the chain, as other tools read it: written out here a second time, so that a
 * change of the harness's own types is noticed. An unknown key is a failure too.
 */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const seconds = v.pipe(v.number(), v.finite(), v.minValue(0))

const rootfs = v.picklist(['none', 'minimal', 'debian'])
const serviceManager = v.picklist(['systemd', 'openrc', 'agent'])

const generation = v.strictObject({
  machine: v.pipe(v.string(), v.regex(/^vm[1-9]\d?$/)),
  generation: positive,
  address: v.pipe(v.string(), v.ipv4()),
  runId: v.pipe(v.string(), v.uuid()),
  provider: v.strictObject({
    machine: v.string(),
    generation: count,
    url: v.pipe(v.string(), v.regex(/^http:\/\/[\d.]+:8080$/)),
  }),
  discoveredBy: v.picklist(['static', 'mdns', 'dht', 'known', 'cache']),
  manifestDigest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
  handover: v.picklist(['carry', 'disk', 'refetch']),
  rootfs,
  serviceManager,
  signed: v.boolean(),
  peerId: v.pipe(v.string(), v.regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/)),
  provenBy: v.nullable(v.literal('receipt')),
  seconds: v.strictObject({
    total: seconds,
    firmware: seconds,
    fetchStage: seconds,
    kexec: seconds,
    serveStage: seconds,
    discovery: v.nullable(seconds),
    looking: v.nullable(seconds),
  }),
  memory: v.strictObject({ totalMiB: positive, lowestAvailableMiB: positive }),
  evidence: v.strictObject({
    kernelBanners: count,
    resets: count,
    nonceInServeStage: v.boolean(),
    rootfs,
    bytesFromProvider: count,
    bytesFromOthers: count,
    probeBytes: count,
    servesSameSet: v.boolean(),
    bootIdChanged: v.boolean(),
    network: v.strictObject({
      multicastHeard: count,
      multicastCrossed: count,
      mdnsCrossed: count,
      mdnsDropped: count,
      originBytes: count,
      originDropped: count,
      dhtBytes: count,
    }),
  }),
})

const proof = v.strictObject({
  ok: v.literal(true),
  arch: v.picklist(['x86_64', 'arm64']),
  accel: v.picklist(['tcg', 'kvm', 'hvf']),
  setBytes: positive,
  plasmd: v.picklist(['own', 'foreign']),
  rootfs,
  network: v.picklist(['lan', 'routed', 'isolated-origin']),
  discovery: v.picklist(['mdns', 'dht', 'static', 'auto']),
  serviceManager,
  lineageVerified: v.boolean(),
  generations: v.pipe(v.array(generation), v.minLength(1)),
})

export type ChainProof = v.InferOutput<typeof proof>

/** @throws Error that names every field that is not as the contract says */
export function parseChainProof(line: string): ChainProof {
  const parsed = v.safeParse(proof, JSON.parse(line))
  if (parsed.success) return parsed.output
  const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? '(object)'}: ${issue.message}`)
  throw new Error(`not as the contract says: ${problems.join('; ')}\n${line}`)
}
