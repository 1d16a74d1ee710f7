import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readLastLook, writeLastLook } from '../../../agent/last-look.ts'
import { why, whyLines } from '../../../agent/why.ts'

const candidates = [
  {
    url: 'http://192.0.2.9:8080',
    source: 'mdns',
    name: 'rogue\n\x1b[2J',
    generation: 9,
    verdict: 'rejected: no [signature-refused]',
  },
  { url: 'http://192.0.2.2:8080', source: 'mdns', name: null, generation: 0, verdict: 'ranked 2: it is an origin' },
  { url: 'http://192.0.2.1:8080', source: 'dht', name: 'plasm-1', generation: 1, verdict: 'chosen' },
] as const

test('the chosen one comes first, and what others call themselves does nothing to a terminal', () => {
  const provider = {
    ...{ url: 'http://192.0.2.1:8080', name: 'plasm-1', generation: 1, discoveredBy: 'dht' as const },
    ...{ peerId: null, provenBy: 'receipt' as const },
  }
  const set = {
    manifestDigest: 'sha256:00',
    channel: 'stable',
    arch: 'x86_64',
    version: '1',
    sequence: 4,
    bytes: 1,
  } as const
  const lines = whyLines({ chose: provider, candidates, set: { ...set, signedBy: [] } })
  assert.equal(lines[0], 'booted from http://192.0.2.1:8080 (plasm-1), found by dht, proven by its receipt')
  assert.deepEqual(
    lines
      .slice(2)
      .filter((_, index) => index % 2 === 0)
      .map((line) => line.split('  ')[0]),
    ['http://192.0.2.1:8080', 'http://192.0.2.2:8080', 'http://192.0.2.9:8080'],
  )
  assert.match(lines.join('\n'), /rejected: no \[signature-refused\]/)
  assert.doesNotMatch(lines.join('\n'), /\x1b/)
})

test('the last attempt of a fetch stage is told, and where nothing was chosen that is an error', async (t) => {
  const runDirectory = await mkdtemp(join(tmpdir(), 'plasm-why-'))
  t.after(() => rm(runDirectory, { recursive: true, force: true }))
  await assert.rejects(why(false, { runDirectory, storeRoot: '/nowhere' }), { code: 'no-choice' })
  const look = { at: '2026-11-25T00:00:00.000Z', failed: 'nobody [no-provider]', candidates }
  await writeLastLook(runDirectory, look)
  assert.deepEqual(await readLastLook(runDirectory), look)
  assert.match(whyLines({ chose: null, ...look })[0]!, /^booted from nobody yet: nobody \[no-provider\], at 2026/)
})
