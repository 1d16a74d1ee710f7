import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Candidate } from '../../../agent/candidate.ts'
import { type Choice, rank } from '../../../agent/rank.ts'
import { verify } from '../../../agent/verify.ts'
import { hostArch } from '../../../service/arch.ts'
import { makeSet } from '../../support/boot-set.ts'
import { TRUSTING } from '../../support/trust.ts'

const manifests = new Map(
  [1, 2].map((sequence) => {
    const raw = {
      bytes: makeSet({ sequence, agentBytes: 1, kernelBytes: 1 }).manifest,
      from: 'test',
      form: 'plain',
    } as const
    return [sequence, verify(raw, TRUSTING, { channel: 'stable', arch: hostArch() })] as const
  }),
)

const choice = (url: string, generation: number | null, sequence: number, more: Partial<Candidate> = {}): Choice => ({
  candidate: { url, source: 'mdns', name: null, generation, ...more },
  verified: manifests.get(sequence)!,
})

const cases: ReadonlyArray<{
  name: string
  choices: Choice[]
  failures?: [string, number][]
  order: string[]
  behind: RegExp
}> = [
  {
    name: 'the newest release first, wherever it is',
    choices: [choice('old', 1, 1, { onLink: true }), choice('new', 0, 2, { onLink: false, load: 9 })],
    order: ['new', 'old'],
    behind: /its sequence is 1, and 2 is there/,
  },
  {
    name: 'the same link before a router, booted or not',
    choices: [choice('routed', 3, 1, { onLink: false }), choice('near', 0, 1, { onLink: true, load: 5 })],
    order: ['near', 'routed'],
    behind: /behind a router/,
  },
  {
    name: 'one whose place is not known counts as near',
    choices: [choice('routed', 1, 1, { onLink: false }), choice('unknown', 1, 1)],
    order: ['unknown', 'routed'],
    behind: /behind a router/,
  },
  {
    name: 'a booted machine before an origin, however busy',
    choices: [choice('origin', 0, 1, { load: 0 }), choice('booted', 7, 1, { load: 3 })],
    order: ['booted', 'origin'],
    behind: /origin/,
  },
  {
    name: 'one that does not say is an origin',
    choices: [choice('unknown', null, 1), choice('booted', 1, 1)],
    order: ['booted', 'unknown'],
    behind: /origin/,
  },
  {
    name: 'the least loaded of equals',
    choices: [choice('busy', 1, 1, { load: 2 }), choice('idle', 4, 1, { load: 0 })],
    order: ['idle', 'busy'],
    behind: /2 transfers are running there, and 0 at the first/,
  },
  {
    name: 'one that has just failed last, but not never',
    choices: [choice('failed', 3, 2), choice('origin', 0, 1)],
    failures: [['failed', 1]],
    order: ['origin', 'failed'],
    behind: /failed in this boot/,
  },
]
for (const { name, choices, failures, order, behind } of cases) {
  test(name, () => {
    for (const given of [choices, [...choices].reverse()]) {
      const ranked = rank(given, 'plasm-000001', new Map(failures))
      assert.deepEqual(
        ranked.map(({ candidate }) => candidate.url),
        order,
      )
      assert.equal(ranked[0]!.behind, undefined)
      assert.match(ranked[1]!.behind!, behind)
    }
  })
}

test('clients spread over equals, each in an order of its own that stays', () => {
  const choices = Array.from({ length: 4 }, (_, index) => choice(`http://peer${index}`, 1, 1))
  const first = (machine: string) => rank(choices, machine)[0]!.candidate.url
  const firsts = new Set(Array.from({ length: 40 }, (_, index) => first(`plasm-${index}`)))
  assert.equal(firsts.size, 4)
  assert.equal(first('plasm-1'), first('plasm-1'))
})
