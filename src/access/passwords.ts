import { Unavailable } from '../errors.ts'

/** Argon2id as OWASP asks for at least: 19 MiB, two passes, one lane. */
const costs = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 }

/** Fewer characters are not taken. */
export const leastCharacters = 12
export const mostCharacters = 200

/** At once, and how many more may wait: each takes 19 MiB and a processor for some hundredths of a second. */
const atOnce = 2
const mostWaiting = 32

/** Loaded when it is needed first: it is native, and most processes never need it. */
const argon2 = () => import('@node-rs/argon2')

/** The same characters, however they were typed (NIST SP 800-63B). */
const normalized = (password: string) => password.normalize('NFKC')

/** With a salt of its own, and its costs. */
export async function hashPassword(password: string): Promise<string> {
  const { hash } = await argon2()
  return hash(normalized(password), costs)
}

export interface Passwords {
  /**
   * Whether it is the password of which this is the hash. Null: there is no such account, and finding that out takes the same work.
   * Throws `Unavailable` when too many wait.
   */
  match(password: string, hash: string | null): Promise<boolean>
}

export function createPasswords(): Passwords {
  let running = 0
  const waiting: (() => void)[] = []
  let nobodys: Promise<string> | null = null

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < atOnce) running += 1
    else {
      if (waiting.length >= mostWaiting) throw new Unavailable('too many passwords are being compared')
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }

  return {
    match: (password, hash) =>
      inTurn(async () => {
        const { verify } = await argon2()
        nobodys ??= hashPassword('nobody has this password')
        const nobody = await nobodys
        const isSame = await verify(hash ?? nobody, normalized(password))
        return isSame && hash !== null
      }),
  }
}
