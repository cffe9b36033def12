/** Lays diagrams out beside the page: a large grid takes longer than the page may keep anybody waiting. */
import type { GridModel } from '@enerchain/model';
import type { Drawing, Place } from './drawing.ts';
import { layout } from './layout.ts';

export interface LayoutOrder {
  readonly id: number;
  /** The model that this and the following orders are about; left out while it stays the same. */
  readonly model?: GridModel;
  readonly place?: Place;
}
export type LayoutAnswer =
  | { readonly id: number; readonly drawing: Drawing }
  | { readonly id: number; readonly problem: string };

let model: GridModel | undefined;
self.onmessage = ({ data: order }: MessageEvent<LayoutOrder>) => {
  model = order.model ?? model;
  const answer = (of: LayoutAnswer): void => self.postMessage(of);
  try {
    if (model) answer({ id: order.id, drawing: layout(model, order.place) });
  } catch (error) {
    answer({ id: order.id, problem: error instanceof Error ? error.message : String(error) });
  }
};
