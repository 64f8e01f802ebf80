import { join } from 'node:path'
import type { Emulator } from '../../emulator/index.ts'
import { fill } from '../faults/disks.ts'
import { fakeTime } from '../faults/fakeTime.ts'
import type { PostgresServer } from '../postgresServer.ts'
import { hasOwnDisks, type Node } from './cluster.ts'

export interface World {
  nodes: Node[]
  postgres: PostgresServer
  emulator: Emulator
  clamd: { stop(): Promise<void>; startAgain(): Promise<void> }
}

/** Something that goes wrong, and is mended after a while. */
export interface Fault {
  name: string
  /** How long it lasts, in ms: between these. */
  lasts: [number, number]
  /** It goes on beside others. */
  long?: true
  /** Returns what mends it. */
  begin(world: World, pick: <T>(from: T[]) => T): Promise<() => Promise<void>>
}

const ofANode = (
  name: string,
  lasts: [number, number],
  begin: (node: Node) => Promise<() => Promise<void>>,
): Fault => ({
  name,
  lasts,
  begin: ({ nodes }, pick) => begin(pick(nodes)),
})

export const faults: Fault[] = [
  ofANode('a node is killed', [200, 3000], async (node) => {
    await node.kill()
    return () => node.start()
  }),
  ofANode('the connections of a node to the database are cut', [0, 100], async (node) => {
    node.database.cut()
    return async () => {}
  }),
  ofANode('a node does not reach the database', [1000, 6000], async (node) => {
    node.database.refuse(true)
    node.database.cut()
    return async () => node.database.refuse(false)
  }),
  ofANode('the connections of a node to the store are cut', [0, 100], async (node) => {
    node.storage.cut()
    return async () => {}
  }),
  ofANode('a node does not reach the store', [1000, 6000], async (node) => {
    node.storage.refuse(true)
    node.storage.cut()
    return async () => node.storage.refuse(false)
  }),
  {
    name: 'the database is stopped',
    lasts: [18_000, 20_000],
    async begin({ postgres }) {
      await postgres.stop()
      return () => postgres.startAgain()
    },
  },
  {
    name: 'the database crashes',
    lasts: [500, 3000],
    async begin({ postgres }) {
      await postgres.kill()
      return () => postgres.startAgain()
    },
  },
  ...(hasOwnDisks
    ? [
        ofANode('the disk of a node is full', [1000, 5000], async (node) => {
          const empty = await fill(join(node.dataDir, 'filled'))
          return empty
        }),
      ]
    : []),
  {
    name: 'clamd dies',
    lasts: [1000, 5000],
    async begin({ clamd }) {
      await clamd.stop()
      return () => clamd.startAgain()
    },
  },
  ...(fakeTime
    ? [
        ofANode('the clock of a node jumps', [1000, 8000], async (node) => {
          node.setClock(Math.random() < 0.5 ? -7200 : 7200)
          return async () => node.setClock(0)
        }),
      ]
    : []),
  {
    name: 'Genesys says 429 to every message',
    lasts: [60_000, 60_000],
    long: true,
    async begin({ emulator }) {
      const route = 'POST /api/v2/conversations/messages/*'
      emulator.setFaults([{ route, status: 429, retryAfter: 3, times: 10_000 }])
      return async () => emulator.setFaults([])
    },
  },
]
