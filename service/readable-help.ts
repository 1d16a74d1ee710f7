import { type Command, Help, type Option } from 'commander'

/** Lines of prose that are longer are hard to read. */
const MOST_COLUMNS = 100
/** Off a terminal, where nobody says how wide it is. */
const USUAL_COLUMNS = 80

/**
 * Makes help readable: no wider than 100 columns, also where the terminal is, and options that must be given are marked. Call it
 * before commands are added, which inherit it.
 */
export function readableHelp(program: Command): Command {
  const width = (stream: NodeJS.WriteStream) =>
    Math.min((stream.isTTY && stream.columns) || USUAL_COLUMNS, MOST_COLUMNS)
  return program
    .configureOutput({
      getOutHelpWidth: () => width(process.stdout),
      getErrHelpWidth: () => width(process.stderr),
    })
    .configureHelp({
      // Beside a long column of terms a description is wrapped, too.
      minWidthToWrap: 24,
      optionDescription(option) {
        const described = Help.prototype.optionDescription.call(this, isSaid(option) ? option : withoutDefault(option))
        return option.mandatory ? `${described} (required)` : described
      },
    })
}

/** That a flag is not given by default goes without saying. */
const isSaid = ({ defaultValue }: Option) => defaultValue !== false && defaultValue !== ''

function withoutDefault(option: Option): Option {
  return Object.create(option, { defaultValue: { value: undefined } }) as Option
}

/** Makes every usage error name its command and say where its help is. Call it when all commands are there. */
export function pointToHelp(command: Command, name: string = command.name()): Command {
  command.showHelpAfterError(`  ${name} --help says what there is`)
  for (const below of command.commands) pointToHelp(below, `${name} ${below.name()}`)
  return command
}
