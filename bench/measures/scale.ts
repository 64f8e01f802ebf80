import { mkdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { startPostgres, statement } from '../../tests/postgresServer.ts'
import { bucketIn } from '../../tests/storage/bucket.ts'
import { startCeph } from '../../tests/storage/ceph.ts'
import { end, forkNode } from '../child.ts'
import { authorization, type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { countFlights } from '../flights.ts'
import type { Load } from '../load/job.ts'
import { bundled } from '../places.ts'
import type { Part } from '../report.ts'
import { warmUpTurns } from '../rounds.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { fileOf, marks, readTemplates } from '../templates.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const rows = [
  { name: '100 KB, 16 at once', size: 100_000, atOnce: 16 },
  { name: '1 MB, 16 at once', size: 1_000_000, atOnce: 16 },
]
const most = 3
/** Of the uploads whose round trips are counted. */
const counted = 300

/**
 * One to three processes over PostgreSQL and Ceph, all on this machine; beside it the same bytes put by the bare SDK, and one
 * process over SQLite and disk. In turn.
 */
export async function scale({ checkout, folder, stage, rounds, seconds, told }: PartOptions): Promise<Part> {
  const postgres = await startPostgres({ fsync: 'on', shared_buffers: '128MB' })
  const ceph = await startCeph()
  const { client, bucket } = await bucketIn(ceph)
  const { conversations } = stage.emulator
  const keyFile = join(folder, 'scale.key')
  await newKeyFile(keyFile, null).create()
  await statement(postgres.url(), 'CREATE DATABASE scale')
  const node = async (name: string, ports: { database: number; storage: number }) => {
    const dataDir = join(folder, name)
    await mkdir(dataDir, { mode: 0o700 })
    return startService(checkout, dataDir, stage.emulator.url, {
      AWS_ACCESS_KEY_ID: ceph.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ceph.secretAccessKey,
      MASTER_KEY_FILE: keyFile,
      DATABASE_URL: `postgres://postgres@127.0.0.1:${ports.database}/scale`,
      STORAGE_URL: `s3://${bucket}/scale?endpoint=http://127.0.0.1:${ports.storage}&region=us-east-1&forcePathStyle=true`,
    })
  }
  const direct = { database: postgres.port, storage: Number(new URL(ceph.endpoint).port) }
  const nodes: Service[] = []
  // One for each, since a load does one job at a time.
  const loads = await inTurn(most, () => forkNode(bundled('load.js'), []))
  const upload = (
    service: Service,
    size: number,
    atOnce: number,
    how: { seconds?: number; uploads?: number },
    load = loads[0]!,
  ) => {
    const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization, conversations }
    return load.ask<Load>({ kind: 'upload', target, templates: stage.templates, size, atOnce, ...how })
  }
  const rateOf = async (services: Service[], size: number, atOnce: number, length = seconds) => {
    const each = Math.ceil(atOnce / services.length)
    const done = await Promise.all(
      services.map((service, i) => upload(service, size, each, { seconds: length }, loads[i])),
    )
    return done.reduce((sum, { files, seconds }) => sum + files / seconds, 0)
  }

  try {
    for (let i = 0; i < most; i++) nodes.push(await node(`scale-${i}`, direct))
    const aloneDir = join(folder, 'scale-alone')
    await mkdir(aloneDir, { mode: 0o700 })
    const alone = await startService(checkout, aloneDir, stage.emulator.url)
    nodes.push(alone)
    const clustered = nodes.slice(0, most)
    const contenders = [
      ...clustered.map((_, i) => ({
        name: `${i + 1} ${i === 0 ? 'process' : 'processes'}, PostgreSQL and Ceph`,
        rate: (size: number, atOnce: number, length?: number) =>
          rateOf(clustered.slice(0, i + 1), size, atOnce, length),
      })),
      {
        name: 'bare SDK PUT to Ceph',
        rate: (size: number, atOnce: number, length = seconds) =>
          bareRate(client, bucket, stage.templates, size, atOnce, length),
      },
      {
        name: '1 process, SQLite and disk',
        rate: (size: number, atOnce: number, length?: number) => rateOf([alone], size, atOnce, length),
      },
    ]
    const measured: { row: (typeof rows)[number]; rates: number[][]; busy: number[][] }[] = []
    for (const row of rows) {
      await makeTemplates(stage.templates, row.size)
      const rates: number[][] = contenders.map(() => [])
      const busy: number[][] = contenders.map(() => [])
      const turns = measured.length === 0 ? warmUpTurns : 2
      for (const { rate } of contenders) await rate(row.size, row.atOnce, turns * seconds)
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < contenders.length; i++) {
          const turn = (round + i) % contenders.length
          const before = busySeconds()
          const began = performance.now()
          rates[turn]!.push(await contenders[turn]!.rate(row.size, row.atOnce))
          busy[turn]!.push(((busySeconds() - before) / (performance.now() - began)) * 1000)
        }
        told(`scale, ${row.name}: round ${round + 1} of ${rounds}`)
      }
      measured.push({ row, rates, busy })
    }
    const trips = await roundTrips(node, direct, upload)
    const ratio = measured.map(({ rates }) => spreadOf(rates[0]!.map((rate, round) => rate / rates[most]![round]!)))
    return {
      title: 'Several processes',
      markdown: [
        table(
          ['uploads/s', ...measured.flatMap(({ row }) => [row.name, 'processors busy'])],
          contenders.map(({ name }, i) => [
            name,
            ...measured.flatMap(({ rates, busy }) => [spread(spreadOf(rates[i]!)), number(spreadOf(busy[i]!).median)]),
          ]),
        ),
        `Of 100 KB, 16 at once, at one process: ${number(trips.database)} round trips to the database an upload, ${number(trips.storage)} requests to the store.`,
      ].join('\n\n'),
      figures: measured.flatMap(({ row, rates }) =>
        contenders.map(({ name }, i) => figure(`${name}, ${row.name}`, 'uploads/s', 'more', rates[i]!)),
      ),
      aims: [
        ...measured.map(({ row }, i) => ({
          aim: `${row.name}: one process at least 0.8 of a bare SDK PUT`,
          measured: number(ratio[i]!.median),
          met: ratio[i]!.median >= 0.8,
        })),
        {
          aim: 'at most 3 round trips to the database an upload',
          measured: number(trips.database),
          met: trips.database <= 3,
        },
        { aim: '1 request to the store for a small file', measured: number(trips.storage), met: trips.storage < 1.1 },
      ],
    }
  } finally {
    await Promise.all(nodes.map((service) => service.stop()))
    await Promise.all(loads.map(({ child }) => end(child)))
    client.destroy()
    await ceph.close()
    await postgres.close()
  }
}

/** Of all processors of the machine, whoever had them. */
function busySeconds(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + (user + nice + sys + irq) / 1000, 0)
}

/** Whole files by the SDK and nothing else: not sealed, not recorded. */
async function bareRate(
  client: S3Client,
  bucket: string,
  folder: string,
  size: number,
  atOnce: number,
  seconds: number,
): Promise<number> {
  const templates = await readTemplates(folder, size)
  const mark = marks()
  const until = performance.now() + seconds * 1000
  const began = performance.now()
  let done = 0
  let last = began
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < until) {
        const bytes = fileOf(templates[done % templates.length]!, mark())
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: `bare/${crypto.randomUUID()}`, Body: bytes }))
        done++
        last = performance.now()
      }
    }),
  )
  return (done / (last - began)) * 1000
}

/** How often a process waits for the database and for the store, an upload. */
async function roundTrips(
  node: (name: string, ports: { database: number; storage: number }) => Promise<Service>,
  direct: { database: number; storage: number },
  upload: (service: Service, size: number, atOnce: number, how: { uploads: number }) => Promise<unknown>,
): Promise<{ database: number; storage: number }> {
  const [database, storage] = [await countFlights(direct.database), await countFlights(direct.storage)]
  const service = await node('scale-counted', { database: database.port, storage: storage.port })
  try {
    await upload(service, 100_000, 16, { uploads: 32 })
    database.count()
    storage.count()
    await upload(service, 100_000, 16, { uploads: counted })
    return { database: database.count() / counted, storage: storage.count() / counted }
  } finally {
    await service.stop()
    database.close()
    storage.close()
  }
}
