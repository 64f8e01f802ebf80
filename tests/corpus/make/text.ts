import { spawnSync } from 'node:child_process'
import type { Bad, Good } from './sample.ts'

const letters: [string, string][] = [
  ['de', 'Sehr geehrte Damen und Herren,\r\nanbei die Unterlagen für Größe 42. Mit freundlichen Grüßen\r\n'],
  ['fr', 'Bonjour,\nveuillez trouver ci-joint le reçu de l’opération n° 12. À bientôt !\n'],
  ['es', '¿Cuándo llegará mi pedido? Lo compré el año pasado en Logroño.\n'],
  ['pt-BR', 'Não recebi a confirmação. Vocês podem verificar a situação?\n'],
  ['ru', 'Здравствуйте! Прилагаю выписку со счёта. Спасибо.\n'],
  ['el', 'Καλημέρα, σας στέλνω την απόδειξη.\n'],
  ['ar', 'مرحبا، أرفقت لكم الإيصال. شكرا\n'],
  ['he', 'שלום, מצורפת הקבלה\n'],
  ['hi', 'नमस्ते, रसीद संलग्न है।\n'],
  ['th', 'สวัสดีครับ แนบใบเสร็จมาด้วย\n'],
  ['ja', 'お世話になっております。領収書を添付いたします。\n'],
  ['zh-Hans', '您好，附件是我的收据，请查收。\n'],
  ['zh-Hant', '您好，附件是我的收據，請查收。\n'],
  ['ko', '안녕하세요. 영수증을 첨부합니다.\n'],
  ['vi', 'Xin chào, tôi gửi kèm hóa đơn của mình.\n'],
  ['tr', 'Merhaba, faturayı ekte gönderiyorum. Görüşürüz ğüşiöç İI.\n'],
  ['emoji', 'Thanks 🙏🏽 👨‍👩‍👧 🇩🇪 works now ✅\n'],
]

/** What iconv writes, for the letters that have it. */
const encodings: [string, string[]][] = [
  ['WINDOWS-1252', ['de', 'fr', 'es', 'pt-BR']],
  ['ISO-8859-1', ['de', 'es']],
  ['WINDOWS-1251', ['ru']],
  ['KOI8-R', ['ru']],
  ['WINDOWS-1253', ['el']],
  ['WINDOWS-1256', ['ar']],
  ['WINDOWS-1254', ['tr']],
  ['SHIFT_JIS', ['ja']],
  ['EUC-JP', ['ja']],
  ['GB18030', ['zh-Hans']],
  ['BIG5', ['zh-Hant']],
  ['EUC-KR', ['ko']],
  ['TIS-620', ['th']],
]

/** Texts of real people's kinds, in the encodings that editors write. */
export async function good(): Promise<Good[]> {
  const samples: Good[] = letters.map(([language, text]) => plain(`${language}.txt`, text, 'UTF-8'))
  for (const [encoding, languages] of encodings)
    for (const language of languages) {
      const text = letters.find(([name]) => name === language)![1]
      const { status, stdout } = spawnSync('iconv', ['-f', 'UTF-8', '-t', `${encoding}//TRANSLIT`], { input: text })
      if (status !== 0) throw new Error(`iconv does not write ${encoding}`)
      samples.push(plain(`${language}-${encoding.toLowerCase()}.txt`, stdout, `iconv, ${encoding}`))
    }
  const mixed = letters.map(([, text]) => text).join('')
  samples.push(
    plain('marked.txt', `\ufeff${mixed}`, 'UTF-8 with its mark, as Notepad wrote it'),
    plain('utf16le.txt', Buffer.from(`\ufeff${mixed}`, 'utf16le'), 'UTF-16 little endian, as Notepad writes "Unicode"'),
    plain('utf16be.txt', Buffer.from(`\ufeff${mixed}`, 'utf16le').swap16(), 'UTF-16 big endian'),
    plain('log.txt', log(), 'a log of a browser'),
    plain(
      'chat.txt',
      '[02/10/2026, 09:14:07] Anna: <Media omitted>\n[02/10/2026, 09:15:00] Ben: ok\n',
      'an exported chat',
    ),
    plain(
      'code.txt',
      'Paste this: if (a < b && c > d) { run(); } // <script src="x"> was the trouble\n',
      'speaks of code',
    ),
    plain('pdf-talk.txt', 'My file begins with %PDF-1.7 and will not open. What shall I do?\n', 'speaks of a PDF'),
    plain('letter.text', 'A name with the other ending of text.\n', 'another ending'),
    plain('Rechnung 12.03.2026 v1.2.txt', 'Punkte im Namen\n', 'dots in the name'),
    plain('1.txt', '1', 'one character'),
    plain('line.txt', `${'x'.repeat(30_000)}\n`, 'one long line'),
    plain('formfeed.txt', 'page one\fpage two\n', 'pages'),
  )
  return samples
}

function plain(name: string, text: string | Buffer, origin: string): Good {
  return { name, type: 'text/plain', origin, bytes: Buffer.from(text) }
}

function log(): string {
  return Array.from(
    { length: 80 },
    (_, i) =>
      `2026-10-02T09:${String(i % 60).padStart(2, '0')}:00Z WARN net::ERR_CONNECTION_RESET https://example.com/a?b=${i}\n`,
  ).join('')
}

/** Nothing here does anything where it is run: each only shows what a hostile one would open with. */
export async function bad(): Promise<Bad[]> {
  const text = (name: string, code: Bad['code'], origin: string, bytes: string | Buffer, type = 'text/plain'): Bad => ({
    name,
    type,
    origin,
    code,
    bytes: Buffer.from(bytes),
  })
  const mismatch = 'type_mismatch'
  return [
    text('page.txt', mismatch, 'HTML as text', '<!DOCTYPE html><script>alert(1)</script>'),
    text('page2.txt', mismatch, 'HTML behind blanks', ' \r\n\t<html><body onload=alert(1)>'),
    text('page3.txt', mismatch, 'HTML in UTF-16', Buffer.from('\ufeff<html><script>alert(1)</script>', 'utf16le')),
    text('page4.txt', mismatch, 'HTML in Latin-1', Buffer.from('<html>\xe9<script>alert(1)</script>', 'latin1')),
    text('drawing.txt', mismatch, 'SVG as text', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    text('drawing2.txt', mismatch, 'SVG behind an XML head', '<?xml version="1.0"?><svg onload="alert(1)"/>'),
    text(
      'laughs.txt',
      mismatch,
      'XML with entities',
      '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>',
    ),
    text('run.txt', mismatch, 'a shell script', '#!/bin/sh\necho hello\n'),
    text('hook.txt', mismatch, 'PHP', '<?php echo 1; ?>'),
    text('hook2.txt', mismatch, 'ASP', '<% Response.Write(1) %>'),
    text('ps.txt', mismatch, 'PostScript', '%!PS-Adobe-3.0\nshowpage\n'),
    text('rich.txt', mismatch, 'RTF as text', '{\\rtf1\\ansi hello}'),
    text(
      'form.txt',
      mismatch,
      'a PDF of text only',
      '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF',
    ),
    text(
      'late.txt',
      mismatch,
      'a PDF behind a line',
      'Dear all,\n%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF',
    ),
    text('null.txt', mismatch, 'a NUL in a text', 'hello\0world'),
    text('escape.txt', mismatch, 'commands for a terminal', '\u001b]0;title\u0007hello'),
    text(
      'program.txt',
      mismatch,
      'a program of Windows (head only)',
      Buffer.concat([Buffer.from('MZ\x90\0\x03', 'latin1'), Buffer.alloc(200)]),
    ),
    text(
      'elf.txt',
      mismatch,
      'a program of Linux (head only)',
      Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(200)]),
    ),
    text('empty.txt', 'empty', 'nothing', ''),
    text('notes.html', mismatch, 'an ending that a browser renders', 'hello'),
    text('notes.txt.exe', mismatch, 'an ending that a system runs', 'hello'),
    text('notes.exe.txt', mismatch, 'an inner ending that a system runs', 'hello'),
    text('notes.php%00.txt', mismatch, 'a NUL in the name, encoded', 'hello'),
    text('notes.p%68p', mismatch, 'an ending, encoded', 'hello'),
    text('notes.php::$DATA', mismatch, 'a stream of Windows', 'hello'),
    text('notes.php.', mismatch, 'a dot at the end', 'hello'),
    text('notes.php ', mismatch, 'a blank at the end', 'hello'),
    text('.htaccess', mismatch, 'settings of a web server', 'hello'),
    text('\u202etxt.exe', mismatch, 'a name that is shown backwards', 'hello'),
    text('noending', mismatch, 'no ending', 'hello'),
    text('data.csv', mismatch, 'a table as text', 'a,b\n1,2\n'),
    text('page.html', 'type_not_allowed', 'HTML as itself', '<p>hello</p>', 'text/html'),
    text(
      'drawing.svg',
      'type_not_allowed',
      'SVG as itself',
      '<svg xmlns="http://www.w3.org/2000/svg"/>',
      'image/svg+xml',
    ),
    text('run.js', 'type_not_allowed', 'a program as itself', 'alert(1)', 'text/javascript'),
  ]
}
