import type { Command, Option } from 'commander'

/** The npm scripts that are this program, and what of its command line they have already. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = { chain: ['chain'], harness: [] }

/**
 * `npm run chain --generations 3` keeps the option for npm, which leaves `npm_config_generations=true` in the environment and the 3 on
 * the command line.
 * @param argv without node and program
 * @returns one line that says so, and how to write it; undefined where nothing was taken
 */
export function takenByNpm(
  program: Command,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const script = env.npm_lifecycle_event ?? ''
  const given = Object.hasOwn(SCRIPTS, script) ? SCRIPTS[script]! : undefined
  const command = program.commands.find((each) => each.name() === argv[0])
  if (!given || !command) return undefined
  const taken = command.options.filter((option) => isTaken(option, env) && !isGiven(option, argv))
  if (taken.length === 0) return undefined
  const rest = argv.slice(1)
  // Where a command takes no arguments of its own, what is left over is the option's.
  const stray = command.registeredArguments.length === 0 && rest.length === 1 ? rest[0] : undefined
  const written = taken.map((option) =>
    asWritten(option, env, taken.filter(wantsValue).length === 1 ? stray : undefined),
  )
  const names = taken.map(({ long }) => long).join(' and ')
  const words = [...argv.slice(given.length, 1), ...written, ...(command.registeredArguments.length > 0 ? ['…'] : [])]
  return `npm took ${names} for itself; write: npm run ${script} -- ${words.join(' ')}`
}

/** What npm makes of an option that it does not know. */
const valueIn = (option: Option, env: Readonly<Record<string, string | undefined>>) =>
  env[`npm_config_${option.long?.replace(/^--(no-)?/, '').replaceAll('-', '_')}`]

function isTaken(option: Option, env: Readonly<Record<string, string | undefined>>): boolean {
  const value = valueIn(option, env)
  return option.negate ? value === 'false' : value !== undefined && value !== '' && value !== 'false'
}

const isGiven = ({ long, short }: Option, argv: readonly string[]) =>
  argv.some((word) => word === long || word === short || word.startsWith(`${long}=`))

const wantsValue = ({ required }: Option) => required

function asWritten(
  option: Option,
  env: Readonly<Record<string, string | undefined>>,
  stray: string | undefined,
): string {
  if (!wantsValue(option)) return option.long!
  const value = valueIn(option, env)
  // `true` stands for a value that npm left where it was.
  if (value !== 'true') return `${option.long} ${value}`
  return `${option.long} ${stray ?? /<.*>/.exec(option.flags)![0]}`
}
