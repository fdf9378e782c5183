// The text format of Prometheus, version 0.0.4. Knows no metric.

export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly samples: readonly Sample[]
}

/** `suffix` follows the family's name: '_bucket', '_sum' and '_count' of a histogram. */
export interface Sample {
  readonly suffix?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** The text of metric families; those without samples are left out. */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, help, type, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((sample) => line(name, sample)).join('')}`,
    )
    .join('')
}

function line(family: string, { suffix = '', labels = {}, value }: Sample): string {
  const name = family + suffix
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** A sample of a scrape: its whole name, its labels, its value. */
export interface Scraped {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Parses the output of `prometheusText`; labels must not contain escapes. */
export function parsePrometheus(text: string): Scraped[] {
  return text.split('\n').flatMap((row) => {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(row)
    if (match === null) return []
    const pairs = [...(match[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)]
    const labels = Object.fromEntries(pairs.map(([, name, value]) => [name, value]))
    return [{ name: match[1] as string, labels, value: Number(match[3]) }]
  })
}
