import './page.css'
import { followTheme } from '../shared/theme.ts'
import { showSignIn } from './signIn.ts'

followTheme()
await showSignIn(document.getElementById('page')!)
