import type { Machine } from './machine.ts'

/** A number that later runs are held against. */
export interface Figure {
  name: string
  unit: string
  better: 'more' | 'less'
  median: number
  min: number
  max: number
}

/** What we set out to reach, and whether we did. */
export interface Aim {
  aim: string
  measured: string
  met: boolean
}

/** One part of the benchmark: what it prints, and what of it is kept. */
export interface Part {
  title: string
  markdown: string
  figures: Figure[]
  aims: Aim[]
}

export interface Report {
  date: string
  command: string
  version: string
  machine: Machine
  parts: Part[]
}
