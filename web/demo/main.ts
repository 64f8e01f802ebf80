import './page.css'
import { fetchPolicy } from '../client/policy.ts'
import { addressOf } from '../shared/page.ts'
import { loadSpark } from '../shared/spark.ts'
import { loadTexts } from '../shared/texts.ts'
import { followTheme } from '../shared/theme.ts'
import { type Chat, createChat } from './chat.ts'
import { policyOf } from './takes.ts'
import { files } from './texts.ts'
import { showChat } from './view.ts'

followTheme()
const query = new URLSearchParams(location.search)
const deploymentId = query.get('deploymentId') ?? '00000000-0000-4000-8000-00000000d001'
const base = addressOf('/')
const [texts, policy] = await Promise.all([loadTexts(files), fetchPolicy(base).catch(() => null)])

/** It is the session: it lives as long as its tab, through reloads. */
const token = sessionStorage.getItem('clipgate.guest') ?? crypto.randomUUID()
sessionStorage.setItem('clipgate.guest', token)

const takes = policy && policyOf(policy, deploymentId)
const view = showChat(document.getElementById('page')!, texts, takes, () => {
  sessionStorage.removeItem('clipgate.guest')
  location.reload()
})
let chat: Chat | null = null
const changed = () => {
  if (chat) view.draw(chat)
}
chat = createChat({ base, deploymentId, token, language: texts.language, policy: takes, changed })
view.draw(chat)
await loadSpark()
