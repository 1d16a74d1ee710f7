import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Browsed } from '../support/browse-program.ts'
import { node, onLinkPair } from '../support/link-pair.ts'

/** A link that goes down and comes back: nobody has to be told, on neither side of it. */
const found = ({ told }: Browsed) => told.filter((candidate) => !('reason' in candidate)).map(({ url }) => url)
const ADVERTISE = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=1')}`
const DOWN = 'ip link set near down; sleep 5; ip link set near up'

// By link-local addresses nobody is asked as long as DHCP may bring others.
for (const [addresses, url, browseMs] of [
  ['ipv4', 'http://10.77.0.1:8080', '2500'],
  ['link-local', 'http://plasm-aaaaaa.local:8080', '10000'],
] as const) {
  test(`advertising goes on by itself when a link with ${addresses} addresses was down`, async () => {
    const browsed = await onLinkPair<Browsed>(
      ADVERTISE,
      `sleep 1; ${DOWN}; sleep 5; ${node('browse-program.ts', browseMs)}`,
      { ADDRESSES: addresses },
    )
    assert.deepEqual(found(browsed), [url])
  })

  test(`browsing goes on by itself when a link with ${addresses} addresses was down`, async () => {
    const browsed = await onLinkPair<Browsed>(
      // It begins when the link is there again, and nobody asks it but who browses.
      `sh -c 'echo later; sleep 9; exec ${ADVERTISE}'`,
      `{ sleep 1; ${DOWN}; } & ${node('browse-program.ts', '15000')}`,
      { ADDRESSES: addresses },
    )
    assert.deepEqual(found(browsed), [url])
  })
}
