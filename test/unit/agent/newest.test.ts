import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newestSigned } from '../../../agent/newest.ts'
import type { Choice } from '../../../agent/rank.ts'
import { verify } from '../../../agent/verify.ts'
import { hostArch } from '../../../service/arch.ts'
import { makeSet } from '../../support/boot-set.ts'
import { makeKey, policyOf, signSet } from '../../support/trust.ts'

const key = makeKey()
const policy = policyOf([key], { allowUnsigned: true })

function choice(url: string, sequence: number, signed = true): Choice {
  const set = signSet(makeSet({ sequence, agentBytes: 1, kernelBytes: 1 }), key)
  const raw = { bytes: signed ? set.envelope : set.manifest, from: url, form: signed ? 'signed' : 'plain' } as const
  const verified = verify(raw, policy, { channel: 'stable', arch: hostArch() })
  return { candidate: { url, source: 'mdns', name: null, generation: null }, verified }
}

const twin = choice('a', 2)
const cases: ReadonlyArray<{
  name: string
  choices: readonly Choice[]
  failed?: string
  refused: Readonly<Record<string, string>>
}> = [
  {
    name: 'the newest alone is up to date',
    choices: [choice('a', 1), choice('b', 2)],
    refused: { a: 'manifest-stale' },
  },
  {
    name: 'mirrors of one release agree',
    choices: [twin, { ...twin, candidate: { ...twin.candidate, url: 'b' } }],
    refused: {},
  },
  {
    name: 'two documents under one sequence are one too many',
    choices: [choice('a', 2), choice('b', 2), choice('c', 1)],
    refused: { a: 'manifest-equivocation', b: 'manifest-equivocation', c: 'manifest-stale' },
  },
  { name: 'what is unsigned makes nothing stale', choices: [choice('a', 1), choice('b', 9, false)], refused: {} },
  { name: 'who has failed makes nobody stale', choices: [choice('a', 1), choice('b', 2)], failed: 'b', refused: {} },
  { name: 'where all have failed, all are tried', choices: [choice('a', 1)], failed: 'a', refused: {} },
  {
    name: 'failing does not hide that something was signed twice',
    choices: [choice('a', 2), choice('b', 2)],
    failed: 'b',
    refused: { a: 'manifest-equivocation', b: 'manifest-equivocation' },
  },
]
for (const { name, choices, failed, refused } of cases) {
  test(name, () => {
    const check = newestSigned(choices, new Map(failed ? [[failed, 1]] : []))
    const found: Record<string, string> = {}
    for (const one of choices) {
      try {
        check(one)
      } catch (thrown) {
        found[one.candidate.url] = (thrown as { code: string }).code
      }
    }
    assert.deepEqual(found, refused)
  })
}
