import type { Work } from '../limits.ts'
import { checkOdf, odfTypes } from '../office/odf.ts'
import { checkOoxml, ooxmlTypes } from '../office/ooxml.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { checkInnerName, checkInside } from './inside.ts'
import { readZip } from './zip.ts'

/**
 * ZIP, and the documents that are one: Office Open XML and OpenDocument. The index is judged before anything is unpacked; then each
 * entry is unpacked to its end, counted and summed.
 */
export const zipReader: Reader = {
  types: ['application/zip', ...ooxmlTypes, ...odfTypes],
  async read(file: Source, _asked: string, work: Work): Promise<Found> {
    const zip = readZip(file, work)
    for (const { name } of zip.entries) checkInnerName(name)
    const names = new Set(zip.entries.map(({ name }) => name))
    const { end } = zip
    if (names.has('[Content_Types].xml')) return { type: await checkOoxml(zip, work), end }
    if (names.has('mimetype') && names.has('META-INF/manifest.xml')) return { type: await checkOdf(zip, work), end }
    for (const entry of zip.entries) await checkInside(entry.name, zip.open(entry), work)
    return { type: 'application/zip', end }
  },
}
