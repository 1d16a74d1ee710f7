import { advertise } from '../../service/advertise.ts'

/** Prints how long an advertisement took to go out, and its end, ms: {"announced","stopped"}. Argument: `ours` or `probe`. */
const startedAt = performance.now()
const advertisement = await advertise({
  name: 'plasmd-plasm-00aa11',
  hostname: 'plasm-00aa11',
  port: 8080,
  channel: 'stable',
  arch: 'x86_64',
  version: '1.0.0',
  namesAreOurs: process.argv[2] === 'ours',
})
const announced = performance.now()
await advertisement.stop()
console.log(JSON.stringify({ announced: announced - startedAt, stopped: performance.now() - announced }))
