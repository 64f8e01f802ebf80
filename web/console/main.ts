import './page.css'
import { loadSpark } from '../shared/spark.ts'
import { followTheme } from '../shared/theme.ts'
import { showConsole } from './console.ts'

followTheme()
await showConsole(document.getElementById('page')!)
// Icons may come when there is nothing else to do.
const whenIdle = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 200))
whenIdle(() => void loadSpark().catch(() => {}))
