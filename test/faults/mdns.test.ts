import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { hostArch } from '../../service/arch.ts'
import { KEPT } from '../../service/dns-sd.ts'
import { ownLabel } from '../../service/host-label.ts'
import { browseBeside, found, GOOD, GOOD_URL, rejected } from '../support/browse-beside.ts'
import type { Browsed } from '../support/browse-program.ts'
import { node, onLinkPair } from '../support/link-pair.ts'
import { MALFORMED } from '../support/mdns-packets.ts'
import { makeRoot, putSet } from '../support/plasmd.ts'
import { PLASMD } from '../support/plasmd-process.ts'

/**
 * Neighbours that speak mDNS by none of its rules. Whatever they send, the provider beside them is found (10.77.0.9), nothing that a person
 * reads has anything in it that does harm to a terminal, and neither memory nor time is taken without limit.
 */

function printsSafely({ told }: Browsed): void {
  for (const candidate of told) assert.match(JSON.stringify(Object.values(candidate)), /^[\x20-\x7e]+$/)
  for (const candidate of told) assert.doesNotMatch(Object.values(candidate).join(''), /[\r\n\u001b]/)
}

test('malformed packets are counted and change nothing', async () => {
  const malformed = Object.keys(MALFORMED).map((name) => ({ malformed: name }))
  const browsed = await browseBeside([...malformed, GOOD])
  assert.deepEqual(found(browsed), [GOOD_URL])
  assert.deepEqual(rejected(browsed), [])
  assert.ok(browsed.counts.malformed >= malformed.length, JSON.stringify(browsed.counts))
})

test('of 10,000 bogus services a few are looked at, and the provider among them is found', async (t) => {
  const browsed = await browseBeside([{ bogus: 5000 }, GOOD, { bogus: 5000 }], { every: 1000, browseMs: 6000 })
  t.diagnostic(JSON.stringify({ ...browsed.counts, stalled: browsed.stalled, rssMiB: browsed.rssMiB }))
  assert.ok(found(browsed).includes(GOOD_URL))
  assert.ok(new Set(found(browsed)).size <= 9, 'eight of one sender, and the one of the other')
  assert.ok(browsed.counts.turnedAway > 1000)
  assert.ok(browsed.stalled < 3000, `nothing else could be done for ${browsed.stalled} ms`)
  assert.ok(browsed.rssMiB < 150)
})

test('of 10,000 bogus services from 20 senders few of each are kept, 64 of all, and the provider among them', async (t) => {
  const senders = 20
  const bogus = { bogus: 5000, senders }
  // In the midst of them its packet may be lost; so it is said once more when all places have long been taken.
  const browsed = await browseBeside([bogus, GOOD, bogus, { ...GOOD, afterMs: 500 }], { every: 1000, browseMs: 6000 })
  t.diagnostic(JSON.stringify({ ...browsed.counts, stalled: browsed.stalled, rssMiB: browsed.rssMiB }))
  const kept = new Map(browsed.told.map((candidate) => [candidate.name!, !('reason' in candidate)]))
  const names = [...kept].filter(([, isThere]) => isThere).map(([name]) => name)
  assert.ok(names.includes('plasmd-good'), names.join(' '))
  assert.equal(names.length, KEPT.services)
  const bySender = Map.groupBy(names, (name) => Number(name.replace('bogus-', '')) % senders)
  for (const [sender, { length }] of bySender) assert.ok(length <= KEPT.perSender, `${length} of ${sender}`)
  assert.ok(browsed.counts.turnedAway > 1000)
  assert.ok(browsed.stalled < 3000, `nothing else could be done for ${browsed.stalled} ms`)
  assert.ok(browsed.rssMiB < 150)
})

test('places that cannot be a provider are rejected, each with its reason, which is safe to print', async () => {
  const browsed = await browseBeside([
    { label: 'plasmd-loop', host: 'loop', address: '127.0.0.1' },
    { label: 'plasmd-nowhere', host: 'nowhere', address: '0.0.0.0' },
    { label: 'plasmd-port', host: 'port', address: '10.77.0.1', port: 0 },
    { label: 'plasmd-two\nlines', host: 'lines', address: '10.77.0.50' },
    { label: 'plasmd-colour', host: 'colour', address: '10.77.0.51', txt: { machine: '\u001b[2Jplasm: ready' } },
    { label: 'plasmd-channel', host: 'channel', address: '10.77.0.52', txt: { channel: 'x\r\nplasm: ready' } },
    { label: 'plasmd-you', host: 'you', address: '10.77.0.2' },
    GOOD,
  ])
  assert.deepEqual(found(browsed), [GOOD_URL])
  assert.deepEqual(
    new Set(rejected(browsed)),
    new Set([
      'http://127.0.0.1:8080: 127.0.0.1 is a loopback address',
      'http://0.0.0.0:8080: 0.0.0.0 is an unspecified address',
      'http://10.77.0.1:0: port 0 is not a port',
      'http://10.77.0.50:8080: its name has control characters',
      'http://10.77.0.51:8080: its name has control characters',
      'http://10.77.0.52:8080: it serves channel x\\x0d\\x0aplasm: ready, not stable',
      'http://10.77.0.2:8080: 10.77.0.2 is this machine itself',
    ]),
  )
  printsSafely(browsed)
})

test('a peer id that two providers claim makes neither of them less of a place to ask', async () => {
  const txt = { peer_id: '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp' }
  const browsed = await browseBeside([
    { label: 'plasmd-liar', host: 'liar', address: '10.77.0.60', txt },
    { ...GOOD, txt },
  ])
  assert.deepEqual(new Set(found(browsed)), new Set(['http://10.77.0.60:8080', GOOD_URL]))
})

test('what comes from an address of another network is dropped', async () => {
  const far = { label: 'plasmd-far', host: 'far', address: '192.168.99.5', from: '192.168.99.5' }
  const browsed = await browseBeside([far, GOOD])
  assert.deepEqual(
    browsed.told.map(({ url }) => url),
    [GOOD_URL],
  )
  assert.ok(browsed.counts.offLink > 0)
})

const ADVERTISE = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=1')}`

test('of two machines with one name the later one takes another, and its host name is one', async () => {
  const ours = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8081', 'stable', 'generation=1')}`
  const browsed = await onLinkPair<Browsed>(
    ADVERTISE,
    // The link has only just come up, and the first one is to be there before.
    `sleep 4; ${ours} >&2 & ours=$!; sleep 5; ${node('browse-program.ts', '10000')}; kill $ours`,
    { ADDRESSES: 'link-local' },
  )
  assert.deepEqual(found(browsed), ['http://plasm-aaaaaa.local:8080'])
  assert.match(
    rejected(browsed)[0] ?? '',
    /^http:\/\/plasm-aaaaaa-2\.local:8081: fe80::\S+%near is this machine itself$/,
  )
})

test('of two plasmd with one name the later one says so, and is found under another, from another machine too', async (t) => {
  const root = await makeRoot(t)
  await putSet(join(root, 'stable', hostArch()), { kernel: 10, initramfs: 10 })
  const log = join(root, 'log')
  const serve = (port: number) => `${node(PLASMD)} serve -a ${root} --no-dht -p ${port}`
  const found = await onLinkPair<{ providers: ReadonlyArray<{ url: string; name: string }> }>(
    `sh -c 'echo later; sleep 5; exec ${serve(8081)} 2>${log}'`,
    `sleep 1; ${serve(8080)} >&2 & first=$!; sleep 10; ${node(PLASMD)} provider list --json; kill $first`,
  )
  const name = `plasmd-${ownLabel()}`
  assert.deepEqual(
    found.providers.map(({ url, name }) => [url, name]),
    [
      ['http://10.77.0.1:8081', `${name} (2)`],
      ['http://10.77.0.2:8080', name],
    ],
  )
  const lines = (await readFile(log, 'utf8')).trim().split('\n')
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const renamed = told.find(({ msg }) => msg === 'somebody else on the link has this name: renamed')
  assert.deepEqual([renamed?.name, renamed?.wanted], [`${name} (2)`, name])
  assert.equal(told.find(({ msg }) => msg === 'advertising by mDNS')?.name, `${name} (2)`)
})
