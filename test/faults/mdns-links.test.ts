import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { found } from '../support/browse-beside.ts'
import type { Browsed } from '../support/browse-program.ts'
import { node, onLinkPair } from '../support/link-pair.ts'

/** A link that goes down and comes back: nobody has to be told, on neither side of it. */
const ADVERTISE = `env IPV6=1 ${node('advertise-program.ts', 'plasm-aaaaaa', '8080', 'stable', 'generation=1')}`
const DOWN = 'ip link set near down; sleep 20; ip link set near up'
const WITHIN_MS = 50_000

// All that they do is wait, each in namespaces of its own.
describe('a link that is down for 20 s', { concurrency: 2 }, () => {
  // By link-local addresses nobody is asked as long as DHCP may bring others.
  for (const [addresses, url, browseMs] of [
    ['ipv4', 'http://10.77.0.1:8080', '2500'],
    ['link-local', 'http://plasm-aaaaaa.local:8080', '10000'],
  ] as const) {
    test(`advertising goes on by itself, with ${addresses} addresses`, async () => {
      const browsed = await onLinkPair<Browsed>(
        ADVERTISE,
        `sleep 1; ${DOWN}; sleep 5; ${node('browse-program.ts', browseMs)}`,
        { ADDRESSES: addresses },
        WITHIN_MS,
      )
      assert.deepEqual(found(browsed), [url])
    })

    test(`browsing goes on by itself, with ${addresses} addresses`, async () => {
      const browsed = await onLinkPair<Browsed>(
        // It begins when the link is there again, and nobody asks it but who browses.
        `sh -c 'echo later; sleep 24; exec ${ADVERTISE}'`,
        `{ sleep 1; ${DOWN}; } & ${node('browse-program.ts', '30000')}`,
        { ADDRESSES: addresses },
        WITHIN_MS,
      )
      assert.deepEqual(found(browsed), [url])
      assert.ok(browsed.told[0]!.at > 21_000, `told of after ${browsed.told[0]!.at} ms`)
    })
  }
})
