import assert from 'node:assert/strict'
import { test } from 'node:test'
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

const choice = (url: string, generation: number | null, sequence: number): Choice => ({
  candidate: { url, source: 'mdns', name: null, generation },
  verified: manifests.get(sequence)!,
})

const cases: ReadonlyArray<{ name: string; choices: Choice[]; failures?: [string, number][]; order: string[] }> = [
  { name: 'the newest release first', choices: [choice('old', 1, 1), choice('new', 0, 2)], order: ['new', 'old'] },
  {
    name: 'a booted machine before an origin',
    choices: [choice('origin', 0, 1), choice('booted', 7, 1)],
    order: ['booted', 'origin'],
  },
  {
    name: 'one that does not say is an origin',
    choices: [choice('unknown', null, 1), choice('booted', 1, 1)],
    order: ['booted', 'unknown'],
  },
  {
    name: 'one that has just failed last, but not never',
    choices: [choice('failed', 3, 2), choice('origin', 0, 1)],
    failures: [['failed', 1]],
    order: ['origin', 'failed'],
  },
]
for (const { name, choices, failures, order } of cases) {
  test(name, () => {
    for (const given of [choices, [...choices].reverse()]) {
      const ranked = rank(given, 'plasm-000001', new Map(failures))
      assert.deepEqual(
        ranked.map(({ candidate }) => candidate.url),
        order,
      )
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
