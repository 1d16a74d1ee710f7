import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { BootRecord, CandidateVerdict } from '../../../agent/boot-record.ts'
import type { LastLook } from '../../../agent/last-look.ts'
import type { DhtOutcome, Discovered, Survey } from '../../../agent/survey.ts'
import type { BrowseCounts } from '../../../service/mdns-browse.ts'

const CONCEPT = readFileSync(fileURLToPath(new URL('../../../docs/concept.md', import.meta.url)), 'utf8')
const [, DISCOVER = '', WHY = ''] =
  /\n\| `discover --json` \|([\s\S]*?)\n\| `why --json` \|([\s\S]*?)\n\n/.exec(CONCEPT) ?? []

/** The compiler wants every field here, and none besides. */
type Fields<T> = Readonly<Record<keyof T, true>>

const survey: Fields<Survey> = {
  at: true,
  channel: true,
  arch: true,
  mode: true,
  providers: true,
  mdns: true,
  dht: true,
}
const provider: Fields<Discovered> = {
  ...{ url: true, source: true, name: true, onLink: true, self: true, claims: true },
  ...{ latencyMs: true, verified: true, verdict: true },
}
const claims: Fields<Discovered['claims']> = {
  ...{ generation: true, sequence: true, version: true, load: true, set: true, peerId: true },
}
const verified: Fields<NonNullable<Discovered['verified']>> = { sequence: true, manifestDigest: true }
const mdns: Fields<BrowseCounts> = { answers: true, malformed: true, offLink: true, turnedAway: true }
const dht: Fields<DhtOutcome> = { joined: true, problems: true }
const look: Fields<LastLook> = { at: true, failed: true, candidates: true }
const chose: Fields<BootRecord['provider']> = {
  ...{ url: true, name: true, generation: true, discoveredBy: true, peerId: true, provenBy: true },
}
const set: Fields<BootRecord['set']> = {
  ...{ manifestDigest: true, channel: true, arch: true, version: true, sequence: true, bytes: true, signedBy: true },
}
const candidate: Fields<Required<CandidateVerdict>> = {
  ...{ url: true, source: true, name: true, generation: true, sequence: true, peerId: true, verdict: true },
}

for (const [command, table, documents] of [
  ['discover --json', DISCOVER, [survey, provider, claims, verified, mdns, dht]],
  ['why --json', WHY, [look, chose, set, candidate, { chose: true }]],
] as const) {
  test(`docs/concept.md lists every field of ${command}`, () => {
    const fields = documents.flatMap((fields) => Object.keys(fields))
    assert.deepEqual(
      fields.filter((field) => !table.includes(`\`${field}\``)),
      [],
    )
  })
}
