/** What has come and was not taken yet, and who waits for what. */
export interface Inbox<Item> {
  put(item: Item): void
  /** Whoever waits, and whoever asks for what has not come, gets this error from now on. */
  end(error: Error): void
  /** Takes the first that fits, past or future, and leaves the others. */
  next(fits?: (item: Item) => boolean): Promise<Item>
  waiting(): Item[]
}

interface Taker<Item> {
  fits: (item: Item) => boolean
  take: (item: Item) => void
  fail: (error: Error) => void
}

export function createInbox<Item>(): Inbox<Item> {
  const items: Item[] = []
  let takers: Taker<Item>[] = []
  let ended: Error | undefined
  return {
    put(item) {
      const taker = takers.find(({ fits }) => fits(item))
      if (!taker) return void items.push(item)
      takers = takers.filter((one) => one !== taker)
      taker.take(item)
    },
    end(error) {
      ended = error
      for (const { fail } of takers.splice(0)) fail(error)
    },
    next(fits = () => true) {
      const index = items.findIndex(fits)
      if (index >= 0) return Promise.resolve(items.splice(index, 1)[0] as Item)
      if (ended) return Promise.reject(ended)
      return new Promise((take, fail) => takers.push({ fits, take, fail }))
    },
    waiting: () => [...items],
  }
}
