// The edge between the room and the panel. Its place is remembered.
import { effect } from "@preact/signals";
import { useRef } from "preact/hooks";

import { panelWidth } from "../preferences";
import { t } from "../text";

const MIN = 320;
const MAX = 760;
const STANDARD = 420;
const STEP = 16;

const set = (width: number) => (panelWidth.value = Math.round(Math.max(MIN, Math.min(MAX, width))));

/** Applies the remembered width. */
export function followPanelWidth(): void {
  effect(() => document.documentElement.style.setProperty("--panel", `${panelWidth.value}px`));
}

export function Splitter() {
  const dragged = useRef(false);
  const isRtl = () => document.documentElement.dir === "rtl";
  const move = (event: PointerEvent) => {
    const panel = (event.currentTarget as Element).parentElement;
    if (!dragged.current || !panel) return;
    const { left, right } = panel.getBoundingClientRect();
    set(isRtl() ? event.clientX - left : right - event.clientX);
  };
  const keys = (event: KeyboardEvent) => {
    const grow = isRtl() ? "ArrowRight" : "ArrowLeft";
    const shrink = isRtl() ? "ArrowLeft" : "ArrowRight";
    if (event.key === grow) set(panelWidth.value + STEP);
    else if (event.key === shrink) set(panelWidth.value - STEP);
    else if (event.key === "Home") set(MIN);
    else if (event.key === "End") set(MAX);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      class="splitter" role="separator" aria-orientation="vertical" aria-label={t.panelWidth} tabIndex={0}
      aria-valuemin={MIN} aria-valuemax={MAX} aria-valuenow={panelWidth.value}
      onPointerDown={(event) => { dragged.current = true; event.currentTarget.setPointerCapture(event.pointerId); event.preventDefault(); }}
      onPointerMove={move} onPointerUp={() => (dragged.current = false)} onPointerCancel={() => (dragged.current = false)}
      onDblClick={() => set(STANDARD)} onKeyDown={keys}
    />
  );
}
