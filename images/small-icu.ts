import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { emptyDir } from './files.ts'

/**
 * Node carries ICU's data for every language, 33 MB of its 108. The agent speaks English: what other locales need is taken
 * out in place and the room left behind is zeros, which compress to nothing. It is what Node's own build option
 * `--with-intl=small-icu` leaves, less word-break dictionaries and character-set converters.
 *
 * @param program a Node binary, changed in place
 * @param work an empty directory comes to lie here
 * @throws PlasmError `icu-data-missing` (facts: `file`) when the binary holds no such data
 */
export async function keepEnglishOnly(program: string, work: string): Promise<void> {
  const bytes = await readFile(program)
  const found = findPackage(bytes)
  if (!found) {
    throw new PlasmError('icu-data-missing', `${program} holds no ICU data in the form known here`, {
      facts: { file: program },
      hint: 'this Node was built in another way than the pinned one; pin the version in package.json',
    })
  }
  const { start, end, name, items } = found
  const dir = await emptyDir(join(work, 'icu'))
  const smaller = join(await emptyDir(join(dir, 'small')), `${name}.dat`)
  const whole = join(dir, `${name}.dat`)
  await writeFile(whole, bytes.subarray(start, end + LAST_ITEM_BYTES))
  await writeFile(join(dir, 'remove.txt'), `${items.filter((item) => !isKept(item)).join('\n')}\n`)
  // The package's name is a part of its items' names, and icupkg takes it from the file's: so one in a directory of its own.
  await execa('icupkg', ['--remove', join(dir, 'remove.txt'), whole, smaller])
  const kept = await readFile(smaller)
  const file = await open(program, 'r+')
  try {
    await file.write(Buffer.concat([kept, Buffer.alloc(end - start - kept.length)]), 0, end - start, start)
  } finally {
    await file.close()
  }
}

/** Trees whose items speak of languages and scripts one by one, and the dictionaries and converters, which lie at the top. */
const GONE_TREES = new Set(['brkitr', 'translit', 'rbnf'])
const GONE_ITEMS = new Set(['unames.icu', 'cnvalias.icu', 'postalCodeData.res'])
const KEPT_KINDS = /\.(res|icu|nrm)$/
const LOCALE = /^[a-z]{2,3}(_[A-Za-z0-9_]*)?\.res$/
const ENGLISH = new Set(['en.res', 'en_001.res', 'en_US.res', 'en_US_POSIX.res'])

/** @param item path in the package, such as `zone/de.res` */
export function isKept(item: string): boolean {
  const [file, tree] = item.split('/').reverse() as [string, string | undefined]
  if (!KEPT_KINDS.test(file) || GONE_ITEMS.has(file) || GONE_TREES.has(tree ?? '')) return false
  return !LOCALE.test(file) || ENGLISH.has(file)
}

/** The table does not say how long the last item is; icupkg only wants its header. */
const LAST_ITEM_BYTES = 1024

interface IcuPackage {
  readonly start: number
  /** Beginning of the last item: that one, a locale's, is to go. */
  readonly end: number
  /** Such as `icudt78l`. */
  readonly name: string
  /** Without the package's name. */
  readonly items: readonly string[]
}

const MAGIC = Buffer.from([0xda, 0x27])
const COMMON_DATA = Buffer.from('CmnD', 'latin1')

/**
 * A package of ICU data in a little-endian program: a header (its length, magic, UDataInfo with the format `CmnD`), then the
 * number of items, for each the offsets of its name and its data from there, and the names (ICU: udata.h, ucmndata.h).
 */
function findPackage(bytes: Buffer): IcuPackage | undefined {
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    const start = at - 2
    if (!bytes.subarray(start + 12, start + 16).equals(COMMON_DATA)) continue
    const table = start + bytes.readUInt16LE(start)
    const count = bytes.readUInt32LE(table)
    const field = (index: number, which: 0 | 4) => bytes.readUInt32LE(table + 4 + 8 * index + which)
    const names = Array.from({ length: count }, (_, index) => {
      const from = table + field(index, 0)
      return bytes.toString('latin1', from, bytes.indexOf(0, from))
    })
    const name = names[0]?.split('/')[0] ?? ''
    return {
      start,
      end: table + field(count - 1, 4),
      name,
      items: names.map((full) => full.slice(name.length + 1)),
    }
  }
  return undefined
}
