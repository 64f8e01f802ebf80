import { fileURLToPath } from 'node:url'

/** Every file here runs from bench/dist/. */
export const bundled = (name: string) => fileURLToPath(new URL(name, import.meta.url))
export const benchFolder = fileURLToPath(new URL('..', import.meta.url))
export const root = fileURLToPath(new URL('../..', import.meta.url))
