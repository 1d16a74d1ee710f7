import type { Command } from 'commander'

/**
 * Answers a command that there is not: by the one that was meant, else by all that there are. commander would suggest what is three
 * edits away, and so `boot` for `foo`. Call it when all commands are there.
 */
export function answerUnknownCommand(program: Command): void {
  program.on('command:*', ([word = '']: readonly string[]) => {
    const names = program.commands.map((command) => command.name())
    const meant = names.filter((name) => isNear(word, name))
    const advice = meant.length === 0 ? `; there are\n  ${names.join(', ')}` : `\n(Did you mean ${meant.join(' or ')}?)`
    program.error(`error: unknown command '${word}'${advice}`, { code: 'commander.unknownCommand' })
  })
}

/** Whether a word is the beginning of a name, or one slip of the fingers from it: a letter too many, too few or wrong, or two swapped. Pure. */
export function isNear(word: string, name: string): boolean {
  if (word.length < 2) return false
  if (name.startsWith(word)) return true
  let [ours, theirs] = [word, name]
  while (ours !== '' && ours[0] === theirs[0]) [ours, theirs] = [ours.slice(1), theirs.slice(1)]
  while (ours !== '' && ours.at(-1) === theirs.at(-1)) [ours, theirs] = [ours.slice(0, -1), theirs.slice(0, -1)]
  const isSwapped = ours.length === 2 && ours[0] === theirs[1] && ours[1] === theirs[0] && theirs.length === 2
  return isSwapped || Math.max(ours.length, theirs.length) <= 1
}
