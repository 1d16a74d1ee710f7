import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeOf } from '../../../service/route.ts'

const HEX = `ab${'0'.repeat(62)}`
const file = (name: string, arch = 'arm64') => ({ kind: 'file', channel: 'stable', arch, name })

const FOUND: ReadonlyArray<[target: string, route: object]> = [
  ['/', { kind: 'about' }],
  ['/?x=1', { kind: 'about' }],
  ['/health', { kind: 'health' }],
  ['/status#top', { kind: 'status' }],
  ['/manifest.json', { kind: 'default-manifest', name: 'manifest.json' }],
  ['/manifest.dsse.json', { kind: 'default-manifest', name: 'manifest.dsse.json' }],
  ['/stable/arm64/manifest.json', file('manifest.json')],
  ['/stable/aarch64/kernel', file('kernel')],
  ['/stable/amd64/kernel?try=2', file('kernel', 'x86_64')],
  ['/stable/arm64/vmlinuz%2D6.1', file('vmlinuz-6.1')],
  ['http://host:8080/stable/arm64/kernel', file('kernel')],
  ['HTTP://host', { kind: 'about' }],
  [`/blobs/ab/${HEX}.bin`, { kind: 'blob', digest: `sha256:${HEX}` }],
]

for (const [target, route] of FOUND) test(`routes ${target}`, () => assert.deepEqual(routeOf(target), route))

const REFUSED: readonly string[] = [
  '',
  '*',
  'stable/arm64/kernel',
  '//etc/passwd',
  '/stable',
  '/stable/arm64',
  '/stable/arm64/',
  '/stable/arm64/kernel/',
  '/stable/arm64/a/b',
  '/stable/arm64/..',
  '/stable/arm64/%2e%2e',
  '/stable/arm64/..%2f..%2fetc%2fpasswd',
  '/stable/arm64/%252e%252e%252fpasswd/x',
  '/stable/arm64/a%2fb',
  '/stable/arm64/kernel%00.txt',
  '/stable/arm64/.hidden',
  '/stable/arm64/%2ehidden',
  '/stable/arm64/kernel.part',
  '/stable/arm64/kernel.tmp',
  '/stable/arm64/x.incoming',
  '/stable/arm64/kernel~',
  '/../arm64/kernel',
  '/.sets/arm64/kernel',
  '/%2e%2e/arm64/kernel',
  '/Stable/arm64/kernel',
  '/stable/mips/kernel',
  '/stable/constructor/kernel',
  `/blobs/ba/${HEX}.bin`,
  `/blobs/ab/${HEX.toUpperCase()}.bin`,
  `/blobs/ab/${HEX}`,
  `/blobs/ab/${HEX}0.bin`,
]

for (const target of REFUSED) test(`has nothing at "${target}"`, () => assert.equal(routeOf(target), undefined))

test('tells broken percent-encoding apart', () => {
  assert.equal(routeOf('/stable/arm64/%zz'), 'malformed')
  assert.equal(routeOf('/%c0%af'), 'malformed')
})
