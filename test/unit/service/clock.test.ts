import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkExpiry, clockProblem, decidingClock } from '../../../service/clock.ts'
import type { PlasmError } from '../../../service/errors.ts'
import { parseManifest } from '../../../service/manifest.ts'
import { makeSet } from '../../support/boot-set.ts'

const at = (time: string) => Date.parse(time)
const manifest = parseManifest(
  makeSet({
    agentBytes: 1,
    kernelBytes: 1,
    change: (document) =>
      Object.assign(document, { created_at: '2026-06-01T00:00:00Z', expires_at: '2027-06-01T00:00:00Z' }),
  }).manifest,
)
const image = { builtAt: new Date('2026-01-01T00:00:00Z') }

test('the clock that decides is never before the image', () => {
  assert.equal(decidingClock(image, 0), image.builtAt.getTime())
  assert.equal(decidingClock(image, at('2030-01-01T00:00:00Z')), at('2030-01-01T00:00:00Z'))
  assert.equal(decidingClock({ builtAt: null }, 0), 0)
})

test('a clock is wrong before the image was made, and before the release was', () => {
  assert.match(clockProblem(manifest, image, 0)!, /1970-01-01.*image was made at 2026-01-01/)
  assert.match(clockProblem(manifest, image, at('2026-03-01T00:00:00Z'))!, /release was made at 2026-06-01/)
  assert.equal(clockProblem(manifest, image, at('2026-07-01T00:00:00Z')), undefined)
})

const late = { builtAt: new Date('2028-01-01T00:00:00Z') }
const expiries: ReadonlyArray<[name: string, now: string, policy: typeof image, hint: RegExp | null]> = [
  ['the last second', '2027-05-31T23:59:59Z', image, null],
  ['the second in which it expires', '2027-06-01T00:00:00Z', image, /publish the set anew/],
  ['1970 with an image of before', '1970-01-01T00:00:00Z', image, null],
  ['1970 with an image of after', '1970-01-01T00:00:00Z', late, /set this machine's clock/],
  ['2099', '2099-01-01T00:00:00Z', image, /years ahead/],
]
for (const [name, now, policy, hint] of expiries) {
  test(`${name}: ${hint ? 'expired' : 'valid'}`, () => {
    const check = () => checkExpiry(manifest, policy, at(now))
    if (!hint) return check()
    assert.throws(check, (error: PlasmError) => error.code === 'manifest-expired' && hint.test(error.hint ?? ''))
  })
}
