// SQL expressions for human-readable times.

/** ISO 8601 of seconds and nanoseconds since 1970. */
export function isoOfSeconds(seconds: string, ns: string): string {
  return `strftime('%Y-%m-%dT%H:%M:%S', ${seconds}, 'unixepoch') || printf('.%09dZ', ${ns})`
}

/**
 * ISO 8601 of the time that the host's clock showed at a moment (`clock` holds the difference);
 * null while it is provisional.
 */
export function isoOfMoment(moment: string): string {
  const offset = `(select "offset" from clock where clock.moment <= ${moment} order by clock.moment desc limit 1)`
  const micros = `(${moment} + ifnull(${offset}, 0))`
  return `case when ${moment} < 9007199254740991 then strftime('%Y-%m-%dT%H:%M:%S', ${micros} / 1000000, 'unixepoch') || printf('.%06dZ', ${micros} % 1000000) end`
}
