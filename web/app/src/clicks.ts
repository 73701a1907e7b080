// Clicks on links inside the page.

/** Calls `go` for a click on a link that is the page's own, in place of a load. A click that opens another tab is left alone. */
export function followClicks(isOwn: (href: string) => boolean, go: (href: string) => void): void {
  document.addEventListener("click", (event) => {
    const link = (event.target as Element).closest?.("a");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const href = link.getAttribute("href") ?? "";
    if (link.target || !isOwn(href)) return;
    event.preventDefault();
    go(href);
  });
}
