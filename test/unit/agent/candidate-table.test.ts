import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Candidate, RejectedCandidate } from '../../../agent/candidate.ts'
import { createCandidateTable } from '../../../agent/candidate-table.ts'

const url = 'http://192.0.2.7:8080'
const told: (Candidate | RejectedCandidate)[] = []
const table = () => {
  told.length = 0
  return createCandidateTable((found) => told.push(found))
}

test('a provider that several sources find is one candidate, and is told of once', () => {
  const { consider, candidates } = table()
  consider({ url, source: 'mdns', name: 'a', generation: 1 })
  consider({ url, source: 'dht', name: 'a', generation: 1 })
  assert.equal(told.length, 1)
  assert.deepEqual(
    candidates().map(({ source }) => source),
    ['mdns'],
  )
})

test('what was named stays so, and learns from an advertisement; what was known gives way to it', () => {
  for (const [source, becomes] of [
    ['static', 'static'],
    ['known', 'mdns'],
  ] as const) {
    const { consider, candidates } = table()
    consider({ url, source, name: null, generation: null })
    consider({ url, source: 'mdns', name: 'a', generation: 2 })
    const [{ source: found, name, generation }] = candidates() as [Candidate]
    assert.deepEqual([found, name, generation], [becomes, 'a', 2])
  }
})

test('a rejection is told once for each reason, and makes no candidate', () => {
  const { consider, candidates, rejections } = table()
  const rejected = { url, source: 'mdns', name: 'a', generation: null } as const
  for (const reason of ['one', 'one', 'two']) consider({ ...rejected, reason })
  assert.equal(told.length, 2)
  assert.equal(candidates().length, 0)
  assert.deepEqual([...rejections()], [[url, 'two']])
})

test('a place that is good for something stays so whatever else is said of it, until whoever told of it takes that back', () => {
  const { consider, candidates, rejections } = table()
  const advertised = { url, source: 'mdns', name: 'a', generation: 0 } as const
  consider({ ...advertised, reason: 'it serves arm64, not x86_64' })
  consider(advertised)
  consider({ ...advertised, reason: 'it serves arm64, not x86_64' })
  consider({ ...advertised, source: 'dht', reason: 'nobody listens there', withdrawn: true })
  assert.deepEqual([candidates().length, rejections().size], [1, 0])
  consider({ ...advertised, reason: 'it said goodbye', withdrawn: true })
  assert.deepEqual([candidates().length, [...rejections()]], [0, [[url, 'it said goodbye']]])
})

test('of what one machine claims of itself the latest counts, and it is told of once all the same', () => {
  const { consider, candidates } = table()
  const advertised = { url, source: 'mdns', name: 'a', generation: 1, sequence: 7, load: 0 } as const
  consider(advertised)
  consider({ ...advertised, load: 3 })
  consider({ url, source: 'mdns', name: 'a', generation: 1, sequence: 8 })
  const [{ load, sequence }] = candidates() as [Candidate]
  assert.deepEqual([load, sequence, told.length], [3, 8, 1])
})

test('another name or generation at the same place changes nothing: who told first may be the one that is there', () => {
  const { consider, candidates } = table()
  const advertised = { url, source: 'mdns', name: 'a', generation: 1, load: 0 } as const
  consider(advertised)
  consider({ ...advertised, name: 'b', load: 99 })
  consider({ ...advertised, generation: 0, load: 99 })
  consider({ ...advertised, source: 'dht', name: null, generation: null, load: 99 })
  const [{ load, name, generation }] = candidates() as [Candidate]
  assert.deepEqual([load, name, generation], [0, 'a', 1])
})

test('whoever tells of its load again and again does not put off the end of the search', async () => {
  const { consider, arrivals } = table()
  const advertised = { url, source: 'mdns', name: 'a', generation: 1 } as const
  consider({ ...advertised, load: 0 })
  const [first] = arrivals().map(({ at }) => at)
  await new Promise((resolve) => setTimeout(resolve, 2))
  consider({ ...advertised, load: 1 })
  assert.deepEqual(
    arrivals().map(({ at }) => at),
    [first],
  )
})
