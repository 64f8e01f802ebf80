import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from 'chart.js'
import { html, LitElement, type PropertyValues } from 'lit'

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, Tooltip)

/** Figures of one kind, one for each day. */
export interface Series {
  label: string
  /** A custom property of the page's styles, without `--chart-`. */
  colour: string
  values: number[]
}

/** Bars by day, one series upon the other. What it shows stands in a table beside it, for who does not see it. */
class DayChart extends LitElement {
  static override properties = {
    label: { attribute: false },
    days: { attribute: false },
    series: { attribute: false },
    written: { attribute: false },
  }
  declare label: string
  declare days: string[]
  declare series: Series[]
  /** A figure in words. */
  declare written: (value: number) => string

  #chart: Chart<'bar'> | null = null
  #themes = new MutationObserver(() => this.#draw())

  /** So that the styles of the page are its styles. */
  override createRenderRoot() {
    return this
  }

  override connectedCallback() {
    super.connectedCallback()
    this.#themes.observe(document.documentElement, { attributeFilter: ['flare-mode'] })
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#themes.disconnect()
    this.#chart?.destroy()
    this.#chart = null
  }

  override render() {
    return html`<canvas role="img" aria-label=${this.label}></canvas><span class="probe"></span>`
  }

  override updated(_changed: PropertyValues<this>) {
    this.#draw()
  }

  #draw(): void {
    const canvas = this.querySelector('canvas')
    if (!canvas || !this.isConnected) return
    const [text, line] = [this.#colour('--quiet'), this.#colour('--line')]
    const datasets = this.series.map(({ label, colour, values }) => ({
      label,
      data: values,
      backgroundColor: this.#colour(`--chart-${colour}`),
      maxBarThickness: 48,
    }))
    this.#chart?.destroy()
    this.#chart = new Chart(canvas, {
      type: 'bar',
      data: { labels: this.days, datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        font: { family: getComputedStyle(this).fontFamily },
        interaction: { mode: 'index', intersect: false },
        scales: {
          x: { stacked: true, grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 } },
          y: {
            stacked: true,
            grid: { color: line },
            ticks: { color: text, maxTicksLimit: 6, precision: 0, callback: (value) => this.written(Number(value)) },
          },
        },
        plugins: {
          legend: { position: 'bottom', labels: { color: text, boxWidth: 12 } },
          tooltip: {
            callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${this.written(Number(parsed.y))}` },
          },
        },
      },
    })
  }

  /** What a custom property comes to in the theme of now. */
  #colour(name: string): string {
    const probe = this.querySelector<HTMLElement>('.probe')!
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color
  }
}

customElements.define('day-chart', DayChart)
