/** The types asked for here, by number (RFC 1035, 3.2.2; RFC 2782). */
const TYPES = { A: 1, PTR: 12, TXT: 16, SRV: 33 } as const
const CLASS_IN = 1
/** Top bit of a question's class: an answer by unicast is welcome (RFC 6762, 5.4). dns-packet cannot set it. */
const UNICAST_WELCOME = 0x8000

export interface Question {
  readonly name: string
  readonly type: keyof typeof TYPES
}

/** One mDNS query: id 0, no flags, only questions (RFC 6762, 18). */
export function encodeQuery(questions: readonly Question[], { unicast }: { readonly unicast: boolean }): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(questions.length, 4)
  return Buffer.concat([header, ...questions.map((question) => encodeQuestion(question, unicast))])
}

function encodeQuestion({ name, type }: Question, unicast: boolean): Buffer {
  const end = Buffer.alloc(5)
  end.writeUInt16BE(TYPES[type], 1)
  end.writeUInt16BE(CLASS_IN | (unicast ? UNICAST_WELCOME : 0), 3)
  return Buffer.concat([...labelsOf(name).map(encodeLabel), end])
}

/** The instance name's first label may hold dots of its own (RFC 6763, 4.3). */
function labelsOf(name: string): readonly string[] {
  const service = name.search(/\._[^.]+\._(tcp|udp)\.local\.?$/i)
  const rest = service > 0 ? name.slice(service + 1) : name
  return [...(service > 0 ? [name.slice(0, service)] : []), ...rest.split('.').filter(Boolean)]
}

function encodeLabel(label: string): Buffer {
  const bytes = Buffer.from(label).subarray(0, 63)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
