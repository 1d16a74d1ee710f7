import { runInside } from '../../host-harness/namespace.ts'

/** usage: harness-inside-program.ts SPEC_JSON. The harness's outer process, without images: prints the events, SIGTERM gives up. */
const inside = await runInside(JSON.parse(process.argv[2]!), (event) => console.log(JSON.stringify(event)))
process.on('SIGTERM', inside.giveUp)
console.log(JSON.stringify({ type: 'pid', pid: await inside.pid() }))
await inside.ended
