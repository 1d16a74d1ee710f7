import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainNumber } from '../../../service/ciao-names.ts'

test('the number that tells hosts of one name apart makes a host name', () => {
  assert.equal(plainNumber('plasm-770001-(2).local.'), 'plasm-770001-2.local.')
  assert.equal(plainNumber('plasm-770001-2-(3).local.'), 'plasm-770001-2-3.local.')
  assert.equal(plainNumber('plasm-770001.local.'), 'plasm-770001.local.')
})
