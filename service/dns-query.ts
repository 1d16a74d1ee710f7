/** The types asked for here, by number (RFC 1035, 3.2.2; RFC 3596; RFC 2782). */
const TYPES = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33 } as const
const CLASS_IN = 1
/** Top bit of a question's class: an answer by unicast is welcome (RFC 6762, 5.4). dns-packet cannot set it. */
const UNICAST_WELCOME = 0x8000
/** What an Ethernet frame holds beside IPv6's and UDP's headers, with some left (RFC 6762, 17). */
const PACKET_MAX = 1_400
const HEADER_BYTES = 12
/** A name's end that says: as in the first question (RFC 1035, 4.1.4). */
const AS_FIRST_QUESTION = Buffer.of(0xc0, HEADER_BYTES)

export interface Question {
  readonly name: string
  readonly type: keyof typeof TYPES
}

/** An instance of the service that is asked for, so that nobody answers what is known (RFC 6762, 7.1). */
export interface KnownInstance {
  /** Full name, ending in that of the service. */
  readonly name: string
  /** Left of its time to live, seconds. */
  readonly ttl: number
}

interface QueryOptions {
  readonly unicast: boolean
  /** Answers to the first question, which asks for the pointers of a service. */
  readonly known?: readonly KnownInstance[]
}

/**
 * One mDNS query: id 0, no flags, questions and known answers (RFC 6762, 18). As many of each as one packet takes: what is left
 * out is asked for, or told again, with the next one.
 */
export function encodeQuery(questions: readonly Question[], { unicast, known = [] }: QueryOptions): Buffer {
  let room = PACKET_MAX - HEADER_BYTES
  const fits = (part: Buffer) => {
    room -= part.length
    return room >= 0
  }
  const asked = questions.map((question) => encodeQuestion(question, unicast)).filter(fits)
  const service = questions[0]?.name ?? ''
  const answers = known.flatMap((instance) => encodeKnown(instance, service)).filter(fits)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(asked.length, 4)
  header.writeUInt16BE(answers.length, 6)
  return Buffer.concat([header, ...asked, ...answers])
}

function encodeQuestion({ name, type }: Question, unicast: boolean): Buffer {
  const end = Buffer.alloc(5)
  end.writeUInt16BE(TYPES[type], 1)
  end.writeUInt16BE(CLASS_IN | (unicast ? UNICAST_WELCOME : 0), 3)
  return Buffer.concat([...labelsOf(name).map(encodeLabel), end])
}

function encodeKnown({ name, ttl }: KnownInstance, service: string): readonly Buffer[] {
  if (!name.toLowerCase().endsWith(`.${service}`)) return []
  const data = Buffer.concat([encodeLabel(name.slice(0, -service.length - 1)), AS_FIRST_QUESTION])
  const head = Buffer.alloc(10)
  head.writeUInt16BE(TYPES.PTR, 0)
  head.writeUInt16BE(CLASS_IN, 2)
  head.writeUInt32BE(ttl, 4)
  head.writeUInt16BE(data.length, 8)
  return [Buffer.concat([AS_FIRST_QUESTION, head, data])]
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
