import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BootRecord } from '../../agent/boot-record.ts'
import { HANDOVER } from '../../agent/handover-layout.ts'
import { hostArch } from '../../service/arch.ts'
import { LINEAGE_MAX, verifyLineage } from '../../service/lineage.ts'
import { makeNodeKey } from '../../service/node-key.ts'
import { issueReceipt, type Receipt } from '../../service/receipt.ts'
import type { ReceiptRequest } from '../../service/receipt-request.ts'
import { type BootMachine, makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { carried } from '../support/carried.ts'
import { type Receipts, startProvider } from '../support/provider.ts'
import { bootChain } from '../support/receipts.ts'
import { startBoot } from '../support/start-boot.ts'

const SET = makeSet()
const TOTAL = Object.values(SET.files).reduce((sum, bytes) => sum + bytes.length, 0)
/** Booted machines are tried before origins, which makes the order certain. */
const FIRST = { status: { machine: 'first', generation: 1 } }

const honest = makeNodeKey()
const above = bootChain(2)
const booted = above.keys[2]!
const { digest: parent } = verifyLineage(above.envelopes, { client: booted.peerId })

const sign = (key: typeof honest, wanted: ReceiptRequest, change: Partial<Receipt> = {}) =>
  issueReceipt(key, { ...wanted, bytes: TOTAL, issuedAt: '2026-11-25T00:00:00Z', parent: null, ...change })

const asOrigin: Receipts = (wanted) => ({ receipt: sign(honest, wanted), lineage: [] })

async function recordOf(machine: BootMachine, set: TestSet = SET): Promise<BootRecord> {
  const { initrd } = await machine.loaded()
  return JSON.parse(carried(initrd, set, HANDOVER.record)!.toString('utf8')) as BootRecord
}

test('a receipt proves the provider, and crosses kexec with the key that it was given to', async (t) => {
  const receipts: Receipts = (wanted) => ({ receipt: sign(booted, wanted, { parent }), lineage: above.envelopes })
  const provider = await startProvider(SET, { receipts })
  const machine = await makeMachine(`phase.provider=${provider.url}`)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')
  const record = await recordOf(machine)
  assert.deepEqual([record.provider.peerId, record.provider.provenBy], [booted.peerId, 'receipt'])
  const { initrd } = await machine.loaded()
  const { peerId } = makeNodeKey(carried(initrd, SET, HANDOVER.nodeKey)!)
  assert.equal(record.peerId, peerId)
  const lineage = JSON.parse(carried(initrd, SET, HANDOVER.lineage)!.toString('utf8')) as unknown[]
  assert.equal(verifyLineage(lineage, { client: peerId, nonce: record.bootNonce }).links.length, 3)
  assert.ok(record.timings.some(({ step, outcome }) => step === 'receipt' && outcome === 'done'))
})

const withSignature = (envelope: unknown, change: (sig: string) => string) => {
  const { signatures, ...rest } = envelope as { signatures: [{ sig: string }] }
  return { ...rest, signatures: [{ sig: change(signatures[0].sig) }] }
}

const LIES: ReadonlyArray<readonly [name: string, reason: string, link: number | null, lie: Receipts]> = [
  [
    'a forged signature',
    'lineage-forged',
    0,
    (wanted) => ({
      receipt: withSignature(sign(honest, wanted), (sig) => (sig.startsWith('A') ? 'B' : 'A') + sig.slice(1)),
      lineage: [],
    }),
  ],
  [
    "another provider's name",
    'lineage-forged',
    0,
    (wanted) => {
      const receipt = sign(makeNodeKey(), wanted) as { payload: string }
      const payload = JSON.parse(Buffer.from(receipt.payload, 'base64').toString('utf8'))
      const named = Buffer.from(JSON.stringify({ ...payload, provider: honest.peerId })).toString('base64')
      return { receipt: { ...receipt, payload: named }, lineage: [] }
    },
  ],
  [
    'the nonce of another boot',
    'lineage-replayed',
    0,
    (wanted) => ({ receipt: sign(honest, wanted, { nonce: '0'.repeat(32) }), lineage: [] }),
  ],
  [
    'another client',
    'lineage-replayed',
    0,
    (wanted) => ({ receipt: sign(honest, wanted, { client: makeNodeKey().peerId }), lineage: [] }),
  ],
  [
    'another set',
    'lineage-replayed',
    0,
    (wanted) => ({ receipt: sign(honest, wanted, { manifestDigest: `sha256:${'0'.repeat(64)}` }), lineage: [] }),
  ],
  [
    'a short cut to the origin',
    'lineage-broken',
    0,
    (wanted) => ({ receipt: sign(booted, wanted, { parent }), lineage: above.envelopes.slice(1) }),
  ],
  [
    'a boot of its own left out',
    'lineage-broken',
    0,
    (wanted) => ({ receipt: sign(booted, wanted, { parent }), lineage: [] }),
  ],
  [
    'ancestors that are not its own',
    'lineage-broken',
    1,
    (wanted) => ({ receipt: sign(honest, wanted, { parent }), lineage: above.envelopes }),
  ],
  [
    'a machine between that signed nothing',
    'lineage-forged',
    1,
    (wanted) => ({
      receipt: sign(booted, wanted, { parent }),
      lineage: [withSignature(above.envelopes[0], () => 'A'.repeat(86).concat('==')), above.envelopes[1]],
    }),
  ],
  [
    'an endless lineage',
    'lineage-broken',
    LINEAGE_MAX,
    (wanted) => ({ receipt: sign(honest, wanted), lineage: Array(LINEAGE_MAX).fill({}) }),
  ],
  ['no receipt in the answer', 'malformed', null, () => ({})],
  ['no JSON', 'malformed', null, (_, response) => response.end('<html>')],
  ['a megabyte', 'body-too-long', null, (_, response) => response.end('x'.repeat(1024 * 1024))],
]

for (const [name, reason, link, lie] of LIES) {
  test(`${name}: the liar is named and left, and the next one is fetched from anew`, async (t) => {
    const liar = await startProvider(SET, { ...FIRST, receipts: lie })
    const good = await startProvider(SET, { receipts: asOrigin })
    const machine = await makeMachine(`phase.provider=${liar.url},${good.url}`)
    await startBoot(t, machine, [liar, good]).event(({ type }) => type === 'kexec')
    assert.deepEqual(machine.failures(), [{ step: 'receipt', code: 'receipt-invalid', provider: liar.url }])
    const failed = machine.events.find((event) => event.type === 'step-failed')
    assert.ok(failed?.type === 'step-failed')
    const { facts } = failed.error
    assert.deepEqual([facts.provider, facts.reason, facts.link], [liar.url, reason, link])
    const { provider, candidates } = await recordOf(machine)
    assert.deepEqual([provider.url, provider.peerId, provider.provenBy], [good.url, honest.peerId, 'receipt'])
    assert.match(candidates.find(({ url }) => url === liar.url)!.verdict, /^rejected: .*\[receipt-invalid\]$/)
    assert.equal(good.artifactBytes(), TOTAL, 'nothing that came from the liar is booted')
  })
}

test('a machine with only a liar in reach does not boot it, and says why', async (t) => {
  const liar = await startProvider(SET, { receipts: LIES[0]![3] })
  const machine = await makeMachine(`phase.provider=${liar.url}`)
  const event = await startBoot(t, machine, [liar]).event(({ type }) => type === 'not-ready')
  assert.ok(event.type === 'not-ready')
  assert.match(event.reason, new RegExp(`${liar.url} gives a receipt that proves nothing.*\\[receipt-invalid\\]`))
  assert.equal(
    machine.events.some(({ type }) => type === 'kexec'),
    false,
  )
})

const SILENCES: ReadonlyArray<readonly [name: string, reason: RegExp, receipts: Receipts | undefined]> = [
  ['404', /^the provider gives no receipts$/, undefined],
  ['405', /^the provider gives no receipts$/, (_, response) => response.writeHead(405).end()],
  ['409', /^the provider gives no receipt: it answers 409$/, (_, response) => response.writeHead(409).end()],
  ['503', /it answers 503$/, (_, response) => response.writeHead(503).end()],
  ['a connection that is cut', /receipts: /, (_, response) => response.destroy()],
]

for (const [name, reason, receipts] of SILENCES) {
  test(`a provider that answers a request for a receipt with ${name} is booted from, and recorded as unproven`, async (t) => {
    const provider = await startProvider(SET, receipts ? { receipts } : {})
    const machine = await makeMachine(`phase.provider=${provider.url}`)
    await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')
    await assertUnproven(machine, reason)
  })
}

async function assertUnproven(machine: BootMachine, reason: RegExp): Promise<void> {
  assert.deepEqual(machine.failures(), [])
  const skipped = machine.events.find((event) => event.type === 'step-skipped')
  assert.ok(skipped?.type === 'step-skipped' && skipped.step === 'receipt')
  assert.match(skipped.reason, reason)
  const record = await recordOf(machine)
  assert.deepEqual([record.provider.peerId, record.provider.provenBy], [null, null])
  assert.ok(record.timings.some(({ step, outcome }) => step === 'receipt' && outcome === 'skipped'))
  const { initrd } = await machine.loaded()
  assert.equal(carried(initrd, SET, HANDOVER.lineage), undefined)
  assert.equal(carried(initrd, SET, HANDOVER.nodeKey)?.length, 32)
}

test('python3 -m http.server is a good enough provider; it gives no receipts', async (t) => {
  const machine = await makeMachine('')
  const site = join(machine.directory, 'site')
  const place = join(site, 'stable', hostArch())
  await mkdir(place, { recursive: true })
  for (const [name, bytes] of Object.entries(SET.files)) await writeFile(join(place, name), bytes)
  await writeFile(join(place, 'manifest.json'), SET.manifest)
  const program = ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', site]
  const python = spawn('python3', program, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => python.kill())
  const port = await new Promise<string>((resolve, reject) => {
    python.once('error', reject)
    let said = ''
    python.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = /port (\d+) /.exec(said)?.[1]
      if (found) resolve(found)
    })
  })
  await writeFile(machine.parts.sources!.cmdlineFile!, `phase.provider=http://127.0.0.1:${port}\n`)
  await startBoot(t, machine).event(({ type }) => type === 'kexec')
  await assertUnproven(machine, /^the provider gives no receipts$/)
})
