import { guestPlace, ORIGIN } from './addresses.ts'
import type { InsideRun } from './namespace.ts'
import type { ChainResult } from './result.ts'

/** What a person types to end a run. @param pid of the harness's outer process, which is the one to signal */
export const howToEnd = (pid: number) => `kill -INT ${pid}`

const SHELL = `A chain's consoles have no shell. exec is the way to one, a script at a time: exec vm1 -- sh -c 'ps; df -h'`

/** What is said once the machines of a run are kept: how to end it, and how to look inside meanwhile. */
export async function sayHowToLook(inside: InsideRun, result: ChainResult, say: (text: string) => void): Promise<void> {
  const user = process.geteuid?.() === 0 ? '' : ' --user --preserve-credentials'
  const enter = `nsenter --target ${await inside.pid()}${user} --net`
  say(`\nThe machines stay up. To end: Ctrl-C here, or: ${howToEnd(process.pid)}`)
  say('To look inside, from another terminal:')
  const machines = [
    ...result.generations.map(({ machine }) => machine),
    // The one that failed, which may be the origin: nobody can go into that one.
    ...(result.error?.machine && result.error.machine !== ORIGIN.name ? [result.error.machine] : []),
  ]
  for (const machine of machines) {
    say(`  npm run harness -- exec ${machine} -- plasm-agent status`)
    say(`  npm run harness -- console ${machine}        (what it says; Ctrl-] leaves it)`)
  }
  say(SHELL)
  say('and from beside them:')
  const last = result.generations.at(-1)?.address ?? guestPlace(1, result.network === 'routed').address
  say(`  ${enter} curl http://${last}:8080/status`)
  say(`  ${enter} nft list counters`)
}

/** What is said when a kept run has ended. @param signal what ended it, if any did */
export const endOfKept = (signal: string | undefined) =>
  `ended${signal === undefined ? '' : ` by ${signal}`}; machines stopped`
