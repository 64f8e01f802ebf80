import { randomBytes } from "node:crypto";
import PDFDocument from "pdfkit";
import sharp from "sharp";
async function jpeg(name = "photo.jpg", pixels = 64) {
  return { name, type: "image/jpeg", bytes: await noise(pixels).jpeg({ quality: 85 }).toBuffer() };
}
async function png(name = "screen.png", pixels = 48) {
  return { name, type: "image/png", bytes: await noise(pixels).png().toBuffer() };
}
async function gif(name = "moving.gif", pixels = 32) {
  return { name, type: "image/gif", bytes: await noise(pixels).gif().toBuffer() };
}
async function pdf(name = "letter.pdf", text2 = "Dear customer") {
  const document = new PDFDocument();
  const chunks = [];
  document.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => document.on("end", resolve));
  document.text(`${text2} ${randomBytes(8).toString("hex")}`);
  document.end();
  await ended;
  return { name, type: "application/pdf", bytes: Buffer.concat(chunks) };
}
function text(name = "notes.txt", content = `Gr\xFC\xDFe, \u4ECA\u65E5\u306F, ${randomBytes(8).toString("hex")}
`) {
  return { name, type: "text/plain", bytes: Buffer.from(content) };
}
async function jpegOfSize(size, name = "large.jpg") {
  const { bytes } = await jpeg(name, 16);
  const missing = size - bytes.length;
  const comments = [];
  for (let left = missing; left > 0; ) {
    let whole = Math.min(left, 65535 + 2);
    if (left - whole > 0 && left - whole < 4) whole -= 4;
    if (whole < 4) throw new Error(`a JPEG of ${size} bytes cannot be filled up`);
    const head = Buffer.from([255, 254, whole - 2 >> 8, whole - 2 & 255]);
    comments.push(head, randomBytes(whole - 4));
    left -= whole;
  }
  return { name, type: "image/jpeg", bytes: Buffer.concat([bytes.subarray(0, 2), ...comments, bytes.subarray(2)]) };
}
function noise(pixels) {
  return sharp(randomBytes(pixels * pixels * 3), { raw: { width: pixels, height: pixels, channels: 3 } });
}
export {
  gif,
  jpeg,
  jpegOfSize,
  pdf,
  png,
  text
};
