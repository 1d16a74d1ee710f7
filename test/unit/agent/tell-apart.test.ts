import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Candidate } from '../../../agent/candidate.ts'
import { tellApart } from '../../../agent/tell-apart.ts'

const at = (url: string, reach?: string): Candidate => ({
  ...{ url, source: 'mdns', name: null, generation: null },
  ...(reach === undefined ? {} : { reach }),
})
const rogue = at('http://plasm-770001.local:8080', 'fe80::bad%eth0')
const honest = at('http://plasm-770001.local:8080', 'fe80::1%eth0')

test('two at different link-local addresses with one name are two', () => {
  assert.equal(tellApart(honest, [rogue]).url, 'http://plasm-770001-fe801.local:8080')
  assert.equal(tellApart(honest, [rogue]).reach, honest.reach)
  assert.ok(URL.canParse(tellApart(honest, [rogue]).url))
})

test('one that nobody hides stays as it is', () => {
  assert.equal(tellApart(honest, []), honest)
  assert.equal(tellApart(honest, [honest]), honest, 'two sets of one machine')
  const plain = at('http://10.0.0.1:8080')
  assert.equal(tellApart(plain, [plain]), plain)
})
