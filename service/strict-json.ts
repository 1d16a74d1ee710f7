import { PlasmError } from './errors.ts'

export interface JsonLimits {
  readonly maxBytes: number
  /** Objects and arrays inside one another. */
  readonly maxDepth?: number
  /** UTF-16 units of one string value. */
  readonly maxString?: number
}

export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue }

const DEPTH = 16
const STRING = 4096
const NAME = 128

/** Names that reach into what JavaScript keeps for itself. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype'])
/** What moves a reader's cursor, hides text or turns it round, and halves of surrogate pairs. */
const HARMFUL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u

const WHITE = /[ \t\r\n]*/y
const PLAIN = /[^"\\]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

/**
 * Parses JSON (RFC 8259) that two readers cannot understand differently, or of which one would come to harm: refuses bad
 * UTF-8, a byte order mark, a name given twice, names that JavaScript reserves, integers beyond 2^53 - 1 (I-JSON, RFC 7493,
 * 2.2), control and bidi characters, over-long names and strings, and deep nesting.
 * @throws PlasmError `json-invalid` (facts: `field`, a path with dots)
 */
export function parseStrictJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  const { maxBytes, maxDepth = DEPTH, maxString = STRING } = limits
  if (bytes.byteLength > maxBytes) throw invalid([], `is ${bytes.byteLength} bytes long, ${maxBytes} at most`)
  const text = decode(bytes)
  const path: (string | number)[] = []
  let at = 0

  const refuse = (problem: string): never => {
    throw invalid(path, problem)
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }
  const next = (): string | undefined => {
    match(WHITE)
    return text[at]
  }
  const expect = (character: string) => {
    if (next() !== character) refuse(`is not JSON: no ${character} at character ${at}`)
    at += 1
  }
  const string = (longest: number): string => {
    expect('"')
    let value = ''
    for (;;) {
      value += match(PLAIN)
      if (value.length > longest) refuse(`is longer than ${longest} characters`)
      const stop = text[at++]
      if (stop === '"') break
      if (stop === undefined) refuse('is not JSON: a string has no end')
      value += escaped()
    }
    if (HARMFUL.test(value)) refuse('has a control, bidi or surrogate character')
    return value
  }
  const escaped = (): string => {
    const letter = text[at++] ?? ''
    if (letter === 'u') {
      const digits = text.slice(at, at + 4)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) refuse('is not JSON: a broken \\u')
      at += 4
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    return '"\\/'.includes(letter) && letter ? letter : (ESCAPES[letter] ?? refuse(`is not JSON: \\${letter}`))
  }
  const number = (): number => {
    const digits = match(NUMBER)
    if (!digits) return refuse(`is not JSON: unexpected ${JSON.stringify(text[at] ?? 'end')} at character ${at}`)
    const value = Number(digits)
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      refuse('is a number that cannot be held exactly')
    }
    return value
  }
  /** What lies between brackets, separated by commas. */
  const members = (close: string, depth: number, member: (index: number) => void) => {
    at += 1
    if (depth > maxDepth) refuse(`is nested more than ${maxDepth} deep`)
    for (let index = 0; next() !== close; index += 1) {
      if (index > 0) {
        expect(',')
        next()
      }
      member(index)
    }
    at += 1
  }
  const object = (depth: number) => {
    const made: { [name: string]: JsonValue } = {}
    members('}', depth, () => {
      const name = string(NAME)
      path.push(name)
      if (RESERVED.has(name)) refuse('is a reserved name')
      if (Object.hasOwn(made, name)) refuse('is there twice')
      expect(':')
      made[name] = value(depth)
      path.pop()
    })
    return made
  }
  const array = (depth: number) => {
    const made: JsonValue[] = []
    members(']', depth, (index) => {
      path.push(index)
      made.push(value(depth))
      path.pop()
    })
    return made
  }
  const value = (depth: number): JsonValue => {
    const first = next()
    if (first === '{') return object(depth + 1)
    if (first === '[') return array(depth + 1)
    if (first === '"') return string(maxString)
    const word = match(WORD)
    if (word) return word === 'null' ? null : word === 'true'
    return number()
  }
  const whole = value(0)
  if (next() !== undefined) refuse('is not JSON: something follows the document')
  return whole
}

function decode(bytes: Uint8Array): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw invalid([], 'is not UTF-8', cause)
  }
  if (text.startsWith('\ufeff')) throw invalid([], 'begins with a byte order mark')
  return text
}

function invalid(path: readonly (string | number)[], problem: string, cause?: unknown): PlasmError {
  const field = path.length === 0 ? '(document)' : path.map(shown).join('.')
  return new PlasmError('json-invalid', `field ${field} ${problem}`, { facts: { field }, cause })
}

/** Names come from the document: none may be long or move a cursor. */
function shown(part: string | number): string {
  return String(part)
    .slice(0, NAME)
    .replaceAll(/[^\x20-\x7e]/g, '?')
}
