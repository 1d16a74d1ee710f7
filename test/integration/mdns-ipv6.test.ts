import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Candidate } from '../../agent/candidate.ts'
import { hostArch } from '../../service/arch.ts'
import { node, onLinkPair } from '../support/link-pair.ts'
import { makeRoot, putSet } from '../support/plasmd.ts'

const PLASMD = fileURLToPath(new URL('../../service/plasmd.ts', import.meta.url))
const BYTES = 5000

interface Reached {
  readonly candidate: Candidate
  readonly health: { readonly status: string }
  readonly bytes: number
}

const links: ReadonlyArray<[addresses: string, url: RegExp, reach: RegExp | undefined]> = [
  ['ipv4', /^http:\/\/10\.77\.0\.1:8080$/, undefined],
  ['ipv6', /^http:\/\/\[fd77::1\]:8080$/, undefined],
  ['link-local', /^http:\/\/[a-z0-9-]+\.local:8080$/, /^fe80::[0-9a-f:]+%near$/],
]
for (const [addresses, url, reach] of links) {
  test(`a provider on a link with ${addresses} addresses is found, asked and fetched from`, async (t) => {
    const root = await makeRoot(t)
    await putSet(join(root, 'stable', hostArch()), { kernel: BYTES, initramfs: 1 })
    const found = await onLinkPair<Reached>(
      node(PLASMD, 'serve', '-a', root, '--bind', '::'),
      node('reach-program.ts', `/stable/${hostArch()}/kernel`, `${BYTES}`),
      { ADDRESSES: addresses },
    )
    assert.match(found.candidate.url, url)
    if (reach) assert.match(found.candidate.reach ?? '', reach)
    else assert.equal(found.candidate.reach, undefined)
    assert.equal(found.candidate.onLink, true)
    assert.deepEqual([found.health.status, found.bytes], ['healthy', BYTES])
  })
}

test('what serves IPv4 only is not advertised by IPv6', async () => {
  const { found } = await onLinkPair<{ found: readonly Candidate[] }>(
    `${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable')} & sleep 2; echo up; wait`,
    node('discover-program.ts', '3000'),
    { ADDRESSES: 'link-local' },
  )
  assert.deepEqual(found, [])
})

test('by both families it is one candidate, reached by IPv4', async () => {
  const peer = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=1')}`
  const { found } = await onLinkPair<{ found: readonly Candidate[] }>(peer, node('discover-program.ts', '5000'))
  assert.deepEqual(
    found.map(({ url, reach }) => [url, reach]),
    [['http://10.77.0.1:8080', undefined]],
  )
})

test('a machine whose only addresses are IPv6 link-local becomes ready, and is found and reached', async () => {
  const { candidate, health } = await onLinkPair<Reached>(
    node('ready-program.ts'),
    node('reach-program.ts'),
    { ADDRESSES: 'link-local' },
    60_000,
  )
  assert.match(candidate.url, /^http:\/\/plasm\S*\.local:\d+$/)
  assert.match(candidate.reach ?? '', /^fe80::[0-9a-f:]+%near$/)
  assert.deepEqual([candidate.generation, candidate.sequence, health.status], [2, 1, 'healthy'])
  assert.match(candidate.set ?? '', /^[0-9a-f]{12}$/)
})
