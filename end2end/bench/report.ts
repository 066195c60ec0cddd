// Figures, printed in lines that read alike.

/** Prints one figure. */
export function say(name: string, value: number | string, unit = "", note = "") {
  const figure = typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 1 }) : value;
  console.log(`${name.padEnd(58)} ${figure.padStart(12)} ${unit.padEnd(5)} ${note}`.trimEnd());
}

/** The value below which this share of the samples lies. */
export function percentile(samples: number[], share: number): number {
  const sorted = [...samples].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
}

/** Prints median and 95th percentile of samples in milliseconds. */
export function saySamples(name: string, samples: number[], aim: string) {
  say(`${name}, median`, percentile(samples, 0.5), "ms", `${samples.length} runs`);
  say(`${name}, 95 of 100`, percentile(samples, 0.95), "ms", aim);
}
