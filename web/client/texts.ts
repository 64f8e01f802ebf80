/** What is refused here, before anything is sent. What the service refuses, it says itself. */
type Code = 'too_large' | 'type_not_allowed' | 'empty'

interface Values {
  name: string
  limit: string
  types: string
}

const texts: Record<string, Record<Code, (values: Values) => string>> = {
  en: {
    too_large: ({ name, limit }) => `“${name}” is larger than ${limit}. Please send a smaller version of it.`,
    type_not_allowed: ({ name, types }) => `“${name}” is not accepted here. Please send one of these: ${types}.`,
    empty: ({ name }) => `“${name}” is empty. Please check the file on your device.`,
  },
  de: {
    too_large: ({ name, limit }) => `„${name}“ ist größer als ${limit}. Bitte senden Sie eine kleinere Fassung.`,
    type_not_allowed: ({ name, types }) => `„${name}“ wird hier nicht angenommen. Möglich sind: ${types}.`,
    empty: ({ name }) => `„${name}“ ist leer. Bitte prüfen Sie die Datei auf Ihrem Gerät.`,
  },
  es: {
    too_large: ({ name, limit }) => `«${name}» supera los ${limit}. Envíe una versión más pequeña.`,
    type_not_allowed: ({ name, types }) => `«${name}» no se acepta aquí. Se admiten: ${types}.`,
    empty: ({ name }) => `«${name}» está vacío. Compruebe el archivo en su dispositivo.`,
  },
  fr: {
    too_large: ({ name, limit }) => `« ${name} » dépasse ${limit}. Merci d’en envoyer une version plus petite.`,
    type_not_allowed: ({ name, types }) => `« ${name} » n’est pas accepté ici. Sont acceptés : ${types}.`,
    empty: ({ name }) => `« ${name} » est vide. Merci de vérifier le fichier sur votre appareil.`,
  },
  pt: {
    too_large: ({ name, limit }) => `“${name}” é maior que ${limit}. Envie uma versão menor.`,
    type_not_allowed: ({ name, types }) => `“${name}” não é aceito aqui. São aceitos: ${types}.`,
    empty: ({ name }) => `“${name}” está vazio. Verifique o arquivo no seu dispositivo.`,
  },
  ja: {
    too_large: ({ name, limit }) => `「${name}」は${limit}を超えています。小さくしてから送信してください。`,
    type_not_allowed: ({ name, types }) =>
      `「${name}」はここでは受け付けられません。次の形式で送信してください：${types}`,
    empty: ({ name }) => `「${name}」は空です。お使いの端末でファイルを確認してください。`,
  },
}

/** A refusal in the language asked for, or the page's, or English. */
export function sayHere(
  code: Code,
  {
    name,
    maxFileBytes,
    endings,
    language,
  }: { name: string; maxFileBytes: number; endings: string[]; language: string | undefined },
): string {
  const asked = language ?? document.documentElement.lang
  const tag = asked.toLowerCase().split(/[-_]/)[0]!
  const known = Object.hasOwn(texts, tag) ? tag : 'en'
  return texts[known]![code]({
    name: shownName(name),
    limit: sizeIn(known, maxFileBytes),
    types: [...new Set(endings)].join(', '),
  })
}

/** Without what could turn the sentence around it: control and bidirectional characters. */
function shownName(name: string): string {
  const clean = name.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '')
  const characters = [...clean]
  return characters.length > 100 ? `${characters.slice(0, 99).join('')}…` : clean
}

/** Rounded down, so that nobody is told more than is allowed. */
function sizeIn(language: string, bytes: number): string {
  const [unit, size] =
    bytes >= 1024 * 1024
      ? (['megabyte', bytes / (1024 * 1024)] as const)
      : bytes >= 1024
        ? (['kilobyte', bytes / 1024] as const)
        : (['byte', bytes] as const)
  const format = new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: 1 })
  return format.format(Math.floor(size * 10) / 10)
}
