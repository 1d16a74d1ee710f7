import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consoleFacts, doingOf, lineSplitter } from '../../../host-harness/console.ts'

const BANNER = '[    0.000000] Linux version 6.1.0-1-cloud-amd64 (gcc)'
const COMMAND_LINE = '[    0.000000] Kernel command line: console=ttyS0'
const NONCE = '0123456789abcdef'.repeat(2)
const KEXEC = `plasm: kexec into sha256:${'0a'.repeat(6)} from http://192.168.77.2:8080`

const factsOf = (texts: readonly string[]) => consoleFacts(texts.map((text, index) => ({ at: index, text })))

test('lines come whole, whatever the chunks, without carriage returns and escapes', () => {
  const split = lineSplitter()
  const text = '\x1b[2J\x1bcBooting é\r\nplasm: \x1b[32mready\x1b[0m\nrest'
  const bytes = Buffer.from(text)
  const lines = [...bytes].flatMap((_, index) => split(bytes.subarray(index, index + 1), index))
  assert.deepEqual(
    lines.map((line) => line.text),
    ['Booting é', 'plasm: ready'],
  )
  assert.equal(lines[0]?.at, bytes.indexOf('\n'))
})

test('two kernels on one console', () => {
  const facts = factsOf([
    `SeaBIOS ${BANNER}`,
    COMMAND_LINE,
    'plasm: fetch stage, release none',
    KEXEC,
    BANNER,
    `${COMMAND_LINE} plasm.stage=serve plasm.boot=${NONCE}`,
    'plasm: serve stage, release run-1',
  ])
  assert.deepEqual(facts, {
    banners: [0, 4],
    commandLines: 2,
    bootNonce: NONCE,
    stages: [
      { stage: 'fetch', release: null, banners: 1 },
      { stage: 'serve', release: 'run-1', banners: 2 },
    ],
    rootfs: null,
    kexecAt: 3,
  })
})

test("the rootfs is that which the second kernel's init switches to", () => {
  const switching = (flavour: string) => `plasm: switching to rootfs ${flavour}`
  assert.equal(factsOf([BANNER, switching('minimal'), BANNER]).rootfs, null)
  assert.equal(factsOf([BANNER, BANNER, switching('minimal'), 'Welcome']).rootfs, 'minimal')
  assert.equal(factsOf([BANNER, BANNER, switching('a'), switching('b')]).rootfs, 'b')
})

test("a program's words are not taken for a kernel's", () => {
  const facts = factsOf(['Linux version 6.1', 'plasm-agent: Kernel command line: x', `agent says ${KEXEC.slice(7)}`])
  assert.deepEqual(facts, { banners: [], commandLines: 0, bootNonce: null, stages: [], rootfs: null, kexecAt: null })
})

test('the nonce of a boot is that on the second kernel command line, whole', () => {
  const nonceIn = (...commandLines: string[]) => factsOf(commandLines.map((words) => COMMAND_LINE + words)).bootNonce
  const given = ` plasm.boot=${NONCE}`
  assert.equal(nonceIn('', given), NONCE)
  assert.equal(nonceIn('', `${given} quiet`), NONCE)
  assert.equal(nonceIn(given), null, 'the first kernel has none')
  assert.equal(nonceIn(given, ''), null)
  assert.equal(nonceIn('', `${given}0`), null)
  assert.equal(nonceIn('', ` x.${given.trim()}`), null)
})

test('the last kexec of the first kernel counts, since a load may fail and be tried again', () => {
  assert.equal(factsOf([BANNER, KEXEC, 'plasm-agent: kexec-exec failed', KEXEC, BANNER, KEXEC]).kexecAt, 3)
})

test('progress is told from the lines that mean some', () => {
  assert.equal(doingOf(BANNER), 'kernel')
  assert.equal(doingOf('plasm: serve stage, release run-1'), 'serve stage')
  assert.equal(doingOf(KEXEC), 'kexec')
  assert.equal(doingOf('plasm-agent: fetch 10 ms'), undefined)
})
