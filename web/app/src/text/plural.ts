/** Returns a function that chooses the form for a number and puts it in place of `#`. */
export function plurals(lang: string) {
  const rules = new Intl.PluralRules(lang);
  const format = new Intl.NumberFormat(lang);
  return (count: number, forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }): string =>
    (forms[rules.select(count)] ?? forms.other).replace("#", format.format(count));
}
