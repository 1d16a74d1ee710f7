import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTransferSlots } from '../../../service/transfers.ts'

test('gives out so many slots and no more, and takes them back', () => {
  const slots = createTransferSlots(2)
  const [first, second] = [slots.acquire()!, slots.acquire()!]
  assert.equal(slots.acquire(), undefined)
  first.release(true)
  assert.equal(slots.running(), 1)
  assert.ok(slots.acquire())
  second.release(true)
})

test('uses a buffer again only when nobody may still read from it', () => {
  const slots = createTransferSlots(1)
  const clean = slots.acquire()!
  clean.release(true)
  const again = slots.acquire()!
  assert.equal(again.buffers, clean.buffers)
  again.release(false)
  assert.notEqual(slots.acquire()!.buffers, clean.buffers)
})
