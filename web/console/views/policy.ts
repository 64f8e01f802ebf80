import { html, type TemplateResult } from 'lit'
import { ask, Problem } from '../../shared/api.ts'
import { loading } from '../loading.ts'
import type { Difference, FileRules, Policy } from '../shapes.ts'
import { facts, table } from '../table.ts'
import type { Desk, OpenView } from '../view.ts'
import { reasonOf } from '../words.ts'

/** What is taken in, and where Genesys Cloud lets in something else. */
export const policyView: OpenView = (desk) => {
  const { say } = desk.texts
  const policy = loading(desk, (signal) => ask<Policy>('/v1/policy', { signal }))
  const differences = loading(desk, differencesTo)
  return {
    title: 'policy',
    leave() {
      policy.stop()
      differences.stop()
    },
    draw: () => html`
      <section><h2>${say('inForce')}</h2>${policy.draw((one) => drawPolicy(one, desk))}</section>
      <section>
        <h2>${say('differences')}</h2>
        ${differences.draw((found) => drawDifferences(found, desk))}
      </section>
    `,
  }
}

function drawPolicy(policy: Policy, desk: Desk): TemplateResult {
  const { say } = desk.texts
  const { quarantine, scan, keep, rescanDays, agentFiles, deployments } = policy
  const codes = quarantine.codes.map((code) => reasonOf(code, desk)).join(' ')
  return html`
    ${facts([
      ...generalRules(policy, desk),
      [say('scanning'), say(`scan_${scan}`)],
      [say('keeps'), say(`keep_${keep}`)],
      [say('quarantineFor'), codes === '' ? say('nothing') : codes],
      [say('engineWaits'), say(`engineWaits_${quarantine.engineDown}`)],
      [say('heldDays'), say('dayCount', { days: quarantine.days })],
      [say('secondPerson'), quarantine.secondPerson ? 2 : 1],
      [say('rescan'), say('dayCount', { days: rescanDays })],
      [say('agentFiles'), say(`agentFiles_${agentFiles}`)],
    ])}
    <h3>${say('types')}</h3>
    ${drawTypes(policy, desk)}
    <details>
      <summary>${say('limits')}</summary>
      ${drawLimits(policy, desk)}
    </details>
    ${
      Object.keys(deployments).length === 0
        ? ''
        : html`<h3>${say('deployments')}</h3>
            ${Object.entries(deployments).map(
              ([id, rules]) => html`<details>
                <summary><code>${id}</code></summary>
                ${facts(generalRules(rules, desk))} ${drawTypes(rules, desk)} ${drawLimits(rules, desk)}
              </details>`,
            )}`
    }
  `
}

function generalRules({ maxFileBytes, trailingData }: FileRules, { texts, formats }: Desk): [string, string][] {
  return [
    [texts.say('maxFile'), formats.size(maxFileBytes)],
    [texts.say('trailing'), texts.say(`trailing_${trailingData}`)],
  ]
}

const drawTypes = ({ types }: FileRules, { texts: { say } }: Desk): TemplateResult =>
  table(
    say('types'),
    [
      { head: say('kind'), cell: ({ type }) => type },
      { head: say('endings'), cell: ({ endings }) => endings.map((ending) => `.${ending}`).join(' ') },
      { head: say('inspected'), cell: ({ inspected }) => say(inspected ? 'yes' : 'no') },
    ],
    types,
  )

const drawLimits = ({ limits }: FileRules, { texts: { say }, formats }: Desk): TemplateResult =>
  table(
    say('limits'),
    [
      { head: say('limit'), cell: ([name]) => html`<code>${name}</code>` },
      { head: say('value'), isFigure: true, cell: ([, value]) => formats.number(value) },
    ],
    Object.entries(limits),
  )

function drawDifferences(found: Difference[] | null, { texts: { say } }: Desk): TemplateResult {
  if (found === null) return html`<p>${say('noCredentials')}</p>`
  if (found.length === 0) return html`<p>${say('noDifferences')}</p>`
  return table(
    say('differences'),
    [
      {
        head: say('what'),
        cell: ({ kind }) => html`<span class="badge warning">${say(`difference_${kind}`)}</span>`,
      },
      { head: say('where'), cell: ({ where }) => where },
      { head: say('details'), cell: ({ says }) => says },
    ],
    found,
  )
}

/** Null: there is nothing to ask the platform with. */
async function differencesTo(signal: AbortSignal): Promise<Difference[] | null> {
  try {
    return (await ask<{ differences: Difference[] }>('/v1/policy/differences', { signal })).differences
  } catch (error) {
    if (error instanceof Problem && error.status === 409) return null
    throw error
  }
}
