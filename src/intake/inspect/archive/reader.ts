import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import { isCfb } from '../office/cfb.ts'
import { checkOdf, odfTypes } from '../office/odf.ts'
import { oldOfficeReader } from '../office/oldOffice.ts'
import { checkOoxml, ooxmlTypes } from '../office/ooxml.ts'
import { isSvgName } from '../office/svg.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { checkInnerName, checkInside } from './inside.ts'
import { readZip } from './zip.ts'

/** What makes a ZIP a program of Java or Android. */
const programs = /^(?:META-INF\/MANIFEST\.MF|AndroidManifest\.xml)$/i

/**
 * ZIP, and the documents that are one: Office Open XML and OpenDocument. The index is judged before anything is unpacked; then each
 * entry is unpacked to its end, counted and summed.
 */
export const zipReader: Reader = {
  types: ['application/zip', ...ooxmlTypes, ...odfTypes],
  async read(file: Source, asked: string, work: Work): Promise<Found> {
    // So is a document of the newer kind when it is encrypted.
    if (isCfb(file)) return oldOfficeReader.read(file, asked, work)
    const zip = readZip(file, work)
    const names = new Set(zip.entries.map(({ name }) => name))
    const isDocument = names.has('[Content_Types].xml') || names.has('mimetype')
    // Drawings in documents are read as such.
    for (const { name } of zip.entries) if (!isDocument || !isSvgName(name)) checkInnerName(name)
    const program = zip.entries.find(({ name }) => programs.test(name))
    if (program)
      throw new Refused('active_content', `it is a program, for it has ${JSON.stringify(program.name.slice(0, 60))}`)
    const { end } = zip
    if (names.has('[Content_Types].xml')) return { type: await checkOoxml(zip, work), end }
    if (names.has('mimetype') && names.has('META-INF/manifest.xml')) return { type: await checkOdf(zip, work), end }
    for (const entry of zip.entries) await checkInside(entry.name, zip.open(entry), work)
    return { type: 'application/zip', end }
  },
}
