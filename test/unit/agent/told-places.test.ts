import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { Candidate, RejectedCandidate } from '../../../agent/candidate.ts'
import { createToldPlaces, type ToldPlaces } from '../../../agent/told-places.ts'

const at = (url: string, name = 'a'): Candidate => ({ url, source: 'mdns', name, generation: 1 })
const [X, Y] = [at('http://10.0.0.1:8080'), at('http://10.0.0.2:8080')]
const WRONG: RejectedCandidate = { ...X, reason: 'it is wrong' }

let told: Array<Candidate | RejectedCandidate> = []
let places: ToldPlaces
beforeEach(() => {
  places = createToldPlaces((one) => told.push(one))
  places.update('a', () => [X], '')
  told = []
})

test('a place that holds no longer is taken back, and what is new is told', () => {
  places.update('a', () => [Y], 'it moved')
  assert.deepEqual(told, [{ ...X, reason: 'it moved', withdrawn: true }, Y])
})

test('what holds as before is not told again', () => {
  places.update('a', (before) => [...before, Y], '')
  assert.deepEqual(told, [Y])
})

test('one that is told anew at its place takes nothing back', () => {
  const other = { ...X, load: 3 }
  places.update('a', () => [other], '')
  assert.deepEqual(told, [other])
})

test('a place that is wrong now is taken back with that reason, once, and is one again later', () => {
  places.update('a', () => [WRONG], '')
  assert.deepEqual(told, [{ ...WRONG, withdrawn: true }])
  places.update('a', () => [X], '')
  assert.deepEqual(told.slice(1), [X])
})

test('a place that never was one is not withdrawn', () => {
  places.update('b', () => [{ ...Y, reason: 'it is wrong' }], '')
  places.update('b', () => [], 'it said goodbye')
  assert.deepEqual(told, [
    { ...Y, reason: 'it is wrong' },
    { ...Y, reason: 'it said goodbye' },
  ])
})

test('a place that another one still tells of stays', () => {
  const liar = at(X.url, 'liar')
  places.update('b', () => [liar], '')
  assert.deepEqual(places.ofOthers('a'), [liar])
  told = []
  places.update('b', () => [], 'it said goodbye')
  assert.deepEqual(told, [{ ...liar, reason: 'it said goodbye', withdrawn: true }, X])
  assert.deepEqual(places.ofOthers('a'), [])
})
