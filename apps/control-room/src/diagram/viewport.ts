/** Zoom and pan of a drawing: wheel, drag, pinch, and the keys `+`, `-`, `0` and arrows. */
import { type Accessor, createEffect, createSignal, on, onCleanup } from 'solid-js';
import type { Drawing } from './drawing.ts';

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
const CLOSEST = 0.12;
const FARTHEST = 2.5;
const LEAST = { width: 900, height: 600 };

/** The box scaled about a point of the drawing, within bounds. */
export function zoomed(box: Box, whole: Box, factor: number, about: { x: number; y: number }): Box {
  const width = Math.min(whole.width * FARTHEST, Math.max(whole.width * CLOSEST, box.width * factor));
  const real = width / box.width;
  return {
    x: about.x - (about.x - box.x) * real,
    y: about.y - (about.y - box.y) * real,
    width,
    height: box.height * real,
  };
}

export function useViewport(drawing: Accessor<Drawing>) {
  /** All of the drawing; one that is small stands in the middle instead of being blown up. */
  const whole = (): Box => {
    const { width, height } = drawing();
    const [across, down] = [Math.max(width, LEAST.width), Math.max(height, LEAST.height)];
    return { x: (width - across) / 2, y: (height - down) / 2, width: across, height: down };
  };
  const [box, setBox] = createSignal<Box>(whole());
  createEffect(on(drawing, () => setBox(whole()), { defer: true }));
  let svg: SVGSVGElement | undefined;
  let start: { pointer: number; x: number; y: number; box: Box } | undefined;
  let dragged = false;

  const toDrawing = (clientX: number, clientY: number) => {
    const matrix = svg?.getScreenCTM()?.inverse();
    const point = new DOMPoint(clientX, clientY).matrixTransform(matrix);
    return { x: point.x, y: point.y };
  };
  const scale = () => 1 / (svg?.getScreenCTM()?.a ?? 1);
  const centre = () => ({ x: box().x + box().width / 2, y: box().y + box().height / 2 });
  const zoom = (factor: number, about = centre()) => setBox((now) => zoomed(now, whole(), factor, about));
  const pan = (dx: number, dy: number) => setBox((now) => ({ ...now, x: now.x + dx, y: now.y + dy }));
  const fit = () => setBox(whole());

  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004), toDrawing(event.clientX, event.clientY));
  };
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    start = { pointer: event.pointerId, x: event.clientX, y: event.clientY, box: box() };
    dragged = false;
  };
  const onMove = (event: PointerEvent) => {
    if (!start || event.pointerId !== start.pointer) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (!dragged && Math.hypot(dx, dy) < 4) return;
    if (!dragged) svg?.setPointerCapture(event.pointerId);
    dragged = true;
    setBox({ ...start.box, x: start.box.x - dx * scale(), y: start.box.y - dy * scale() });
  };
  const onUp = () => {
    start = undefined;
  };
  const onKey = (event: KeyboardEvent) => {
    const step = box().width * 0.08;
    const actions: Record<string, () => void> = {
      '+': () => zoom(0.8),
      '=': () => zoom(0.8),
      '-': () => zoom(1.25),
      '0': fit,
      ArrowLeft: () => pan(-step, 0),
      ArrowRight: () => pan(step, 0),
      ArrowUp: () => pan(0, -step),
      ArrowDown: () => pan(0, step),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  const ref = (element: SVGSVGElement) => {
    svg = element;
    element.addEventListener('wheel', onWheel, { passive: false });
    element.addEventListener('pointerdown', onDown);
    element.addEventListener('pointermove', onMove);
    element.addEventListener('pointerup', onUp);
    element.addEventListener('pointercancel', onUp);
    element.addEventListener('keydown', onKey);
    onCleanup(() => element.removeEventListener('wheel', onWheel));
  };
  return {
    ref,
    box: () => `${box().x} ${box().y} ${box().width} ${box().height}`,
    /** Whether the last press moved the drawing, so that its release is no click. */
    dragged: () => dragged,
    zoom,
    fit,
  };
}
