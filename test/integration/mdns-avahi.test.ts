import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Candidate } from '../../agent/candidate.ts'
import { hostArch } from '../../service/arch.ts'
import { avahiHere } from '../support/avahi-here.ts'
import type { Browsed } from '../support/browse-program.ts'
import { node, onLinkPair, support } from '../support/link-pair.ts'

const env = await avahiHere('avahi-beside').catch((thrown: Error) => thrown)
const skip = env instanceof Error && `avahi cannot be had: ${env.message}`
const avahi = env instanceof Error ? {} : env

interface Discovered {
  readonly found: readonly Candidate[]
}

const published = `${support('avahi-peer.sh')} plasm-770001 8080 channel=stable arch=${hostArch()} generation=2 machine=plasm-770001`

for (const addresses of ['ipv4', 'link-local']) {
  test(`what avahi publishes on a link with ${addresses} addresses is discovered`, { skip }, async () => {
    const { found } = await onLinkPair<Discovered>(published, node('discover-program.ts', '10000'), {
      ...avahi,
      ADDRESSES: addresses,
    })
    const [candidate] = found
    assert.deepEqual([candidate?.name, candidate?.generation, candidate?.onLink], ['plasm-770001', 2, true])
    if (addresses === 'ipv4') assert.equal(candidate?.url, 'http://10.77.0.1:8080')
    else assert.match(`${candidate?.url} ${candidate?.reach}`, /^http:\/\/plasm-770001\.local:8080 fe80::.*%near$/)
  })
}

test('avahi sees what is advertised by both families, and resolves it to addresses of each', { skip }, async () => {
  const peer = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=3')}`
  const found = await onLinkPair<readonly string[][]>(peer, node('avahi-browse-program.ts'), avahi)
  const seen = found.map(([, link, family, name, type, , host, , port]) => [link, family, name, type, host, port])
  for (const family of ['IPv4', 'IPv6']) {
    assert.ok(
      seen.some(
        (line) => line.join(' ') === `near ${family} plasmd-plasm-aaaaaa _phase-image._tcp plasm-aaaaaa.local 8080`,
      ),
      `${family}: ${JSON.stringify(found)}`,
    )
  }
  assert.deepEqual(
    new Set(found.map(([, , , , , , , address]) => address!.replace(/^fe80::.*/, 'fe80'))),
    new Set(['10.77.0.1', 'fe80']),
  )
  assert.match(found[0]![9]!, /"generation=3"/)
})

test('avahi and a provider on one machine leave each other alone', { skip }, async () => {
  const ours = node('advertise-program.ts', 'plasm-bbbbbb', '8081', 'stable', 'generation=1')
  const { found } = await onLinkPair<Discovered>(
    `sh -c '${published} >/dev/null 2>&1 & exec ${ours}'`,
    node('discover-until-program.ts', '2'),
    avahi,
  )
  assert.deepEqual(found.map(({ name }) => name).sort(), ['plasm-770001', 'plasm-bbbbbb'])
})

const BOTH = [
  ['ours', `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=3')}`, false],
  ["avahi's", published, skip],
] as const
for (const [whose, peer, skip] of BOTH) {
  test(`what is known already is not answered again: ${whose}`, { skip }, async () => {
    // By then it has announced itself as often as it does by itself.
    const command = `sleep 6; ${node('browse-program.ts', '7500')}`
    const { told, counts } = await onLinkPair<Browsed>(peer, command, avahi)
    assert.deepEqual(new Set(told.map(({ url }) => url)), new Set(['http://10.77.0.1:8080']))
    // The first rounds, and what they lacked, by two families; three rounds more would double it.
    assert.ok(counts.answers <= 8, `${counts.answers} answers`)
  })
}
