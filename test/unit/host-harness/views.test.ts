import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChainEvent } from '../../../host-harness/chain-spec.ts'
import { progressLine, progressView } from '../../../host-harness/progress.ts'
import { proofView } from '../../../host-harness/proof-view.ts'
import { type ChainResult, chainError, type Generation } from '../../../host-harness/result.ts'
import { PlasmError } from '../../../service/errors.ts'

const VM1: Generation = {
  machine: 'vm1',
  generation: 1,
  address: '192.168.77.11',
  runId: 'run-1',
  provider: { machine: 'origin', generation: 0, url: 'http://192.168.77.2:8080' },
  discoveredBy: 'mdns',
  manifestDigest: `sha256:${'a'.repeat(64)}`,
  handover: 'carry',
  ...{ rootfs: 'minimal', serviceManager: 'agent' },
  ...{ signed: false, peerId: `12D3KooW${'A'.repeat(44)}`, provenBy: 'receipt' },
  seconds: { total: 30, firmware: 1.2, fetchStage: 12.8, kexec: 1, serveStage: 15, discovery: 1.4, looking: 0.9 },
  memory: { totalMiB: 469, lowestAvailableMiB: 279 },
  evidence: {
    ...{
      kernelBanners: 2,
      resets: 0,
      nonceInServeStage: true,
      rootfs: 'minimal',
      bytesFromProvider: 54_269_387,
      bytesFromOthers: 0,
    },
    ...{ probeBytes: 1930, servesSameSet: true, bootIdChanged: true },
    network: {
      ...{ multicastHeard: 41, multicastCrossed: 63, mdnsCrossed: 12, mdnsDropped: 0 },
      ...{ originBytes: 54_269_387, originDropped: 0, dhtBytes: 0 },
    },
  },
}
const RESULT: ChainResult = {
  ok: true,
  arch: 'x86_64',
  accel: 'tcg',
  setBytes: 54_208_572,
  plasmd: 'own',
  ...{ rootfs: 'minimal', serviceManager: 'agent', network: 'lan', discovery: 'mdns' },
  lineageVerified: true,
  generations: [VM1],
}

/** What a view writes to a stream that is no terminal. */
function plain(...events: ChainEvent[]): string[] {
  const written: string[] = []
  const view = progressView({ isTTY: false, write: (text: string) => written.push(text) } as never)
  for (const event of events) view.show(event)
  view.close()
  return written.join('').split('\n').slice(0, -1)
}

const fetching = (bytes: number): ChainEvent => ({
  type: 'machine',
  name: 'vm1',
  progress: { state: 'running', doing: 'fetch', seconds: 3, bytes, totalBytes: 1000 },
})

test('a line says machine, step, bytes and seconds', () => {
  const progress = {
    state: 'running',
    doing: 'fetch',
    seconds: 8.06,
    bytes: 12_582_912,
    totalBytes: 54_208_572,
  } as const
  assert.match(progressLine('vm1', progress), /^vm1 +fetch 12\.0 of 51\.7 MiB +8\.1 s$/)
})

test('plain progress has a line for each change and each quarter, not for each report', () => {
  const lines = plain({ type: 'say', text: 'hello' }, fetching(1), fetching(2), fetching(300), fetching(310))
  assert.deepEqual(
    lines.map((line) => line.slice(0, 5)),
    ['hello', 'vm1  ', 'vm1  '],
  )
})

test("a failure shows the console's end and where all of it is", () => {
  const lines = plain({ type: 'console-tail', name: 'vm1', log: 'runs/vm1.console.log', lines: ['Kernel panic'] })
  assert.deepEqual(lines, ["the end of vm1's console (all of it: runs/vm1.console.log):", '  | Kernel panic'])
})

test('the proof says who booted from whom, and by what bytes', () => {
  const text = proofView(RESULT)
  assert.match(text, /^booted from +origin \(192\.168\.77\.2:8080\)$/m)
  assert.match(text, /^bytes from it +54,269,387$/m)
  assert.match(text, /^kernel banners \/ resets +2 \/ 0$/m)
  assert.match(text, /^system +minimal$/m)
  assert.match(text, /^plasmd kept running by +agent$/m)
  assert.match(text, /^proven: vm1 from origin \(1 machine, x86_64, tcg, network lan, discovery mdns/m)
  assert.match(text, /^ +network up to provider +1\.4, 0\.9 of it looking$/m)
  assert.match(text, /^mDNS passed \/ dropped +12 \/ 0$/m)
})

test('without a rootfs the initramfs is the system', () => {
  const text = proofView({ ...RESULT, rootfs: 'none', generations: [{ ...VM1, rootfs: 'none' }] })
  assert.match(text, /^system +none \(initramfs\)$/m)
})

test('a failure says what, where and what to do', () => {
  const thrown = new PlasmError('machine-reset', 'vm2: it was reset', {
    facts: { step: 'kexec', machine: 'vm2' },
    hint: 'read its console',
  })
  const error = chainError(thrown)
  assert.deepEqual(error, {
    ...{ code: 'machine-reset', step: 'kexec', machine: 'vm2', message: 'vm2: it was reset', hint: 'read its console' },
  })
  const text = proofView({ ...RESULT, ok: false, error })
  assert.match(text, /failed \(vm2, kexec\): vm2: it was reset \[machine-reset\]\n {2}read its console$/)
  assert.doesNotMatch(text, /proven/)
})

test('any other error is told too', () => {
  const told = chainError(new TypeError('x is not a function'))
  assert.deepEqual([told.code, told.step, told.machine, told.hint], ['unexpected', 'harness', null, null])
})
