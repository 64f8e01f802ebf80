// Makes the sample files that the demo sends: a real photo-like JPEG and a real PDF, by real encoders.
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import PDFDocument from 'pdfkit'
import sharp from 'sharp'

const width = 640
const height = 420
const card = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
  <defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#29436b"/><stop offset="1" stop-color="#8fb3c9"/></linearGradient></defs>
  <rect width="100%" height="100%" fill="url(#g)"/>
  <circle cx="150" cy="190" r="70" fill="#e8c9a8"/><ellipse cx="150" cy="330" rx="110" ry="80" fill="#3b3b55"/>
  <rect x="290" y="120" width="280" height="26" fill="#fff" opacity=".85"/><rect x="290" y="170" width="210" height="18" fill="#fff" opacity=".6"/>
  <rect x="290" y="210" width="240" height="18" fill="#fff" opacity=".6"/><rect x="290" y="250" width="160" height="18" fill="#fff" opacity=".6"/>
</svg>`
const noise = {
  create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 18 } },
}
const grain = await sharp(noise).png().toBuffer()
await sharp(Buffer.from(card))
  .composite([{ input: grain, blend: 'soft-light' }])
  .jpeg({ quality: 88 })
  .toFile('demo/photo.jpg')

const pdf = new PDFDocument({ info: { Title: 'Letter' } })
pdf.fontSize(16).text('Example Bank', { align: 'right' }).moveDown()
pdf
  .fontSize(11)
  .text('Dear customer,')
  .moveDown()
  .text('this is a sample letter. It was made to be sent through the demo.')
pdf.end()
await pipeline(pdf, createWriteStream('demo/letter.pdf'))
