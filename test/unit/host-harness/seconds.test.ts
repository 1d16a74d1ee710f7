import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secondsOf } from '../../../host-harness/seconds.ts'

test('the parts sum to the total to the tenth, wherever the marks fall', () => {
  for (let shift = 0; shift < 500; shift += 1) {
    const marks = {
      qemuStarted: 12_345.6,
      firstBanner: 13_100 + shift * 7.3,
      kexecLine: 20_000 + shift * 11.9,
      secondBanner: 27_000 + shift * 13.1,
      ready: 40_000 + shift * 17.7,
    }
    const { total, ...parts } = secondsOf(marks)
    const tenths = Object.values(parts).map((seconds) => Math.round(seconds * 10))
    assert.equal(
      tenths.reduce((sum, part) => sum + part, 0),
      Math.round(total * 10),
    )
    assert.ok(Math.abs(total * 1000 - (marks.ready - marks.qemuStarted)) <= 50)
  }
})
