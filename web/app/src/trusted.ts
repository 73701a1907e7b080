// The page's only Trusted Types policy. Nothing else can turn text into HTML or into the address of a script.

interface Policy {
  createHTML(html: string): unknown;
  createScriptURL(url: string): unknown;
}
interface Factory {
  createPolicy(name: string, rules: { [Rule in keyof Policy]: (text: string) => string }): Policy;
}

const rules = {
  /** Messages of the server, which `html.tsx` copies element by element. */
  createHTML: (html: string) => html,
  createScriptURL: (url: string) => {
    if (url !== "/sw.js") throw new TypeError(`${url} is not a script of this page`);
    return url;
  },
};

const policy: Policy = (globalThis as { trustedTypes?: Factory }).trustedTypes?.createPolicy("heddle", rules) ?? rules;

export const trustedHtml = (html: string) => policy.createHTML(html) as string;
export const trustedScript = (url: string) => policy.createScriptURL(url) as string;
