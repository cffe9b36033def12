/** Whether a device is what its SCL file says. */

/** One thing that is not as the file has it. */
export interface ModelDifference {
  readonly kind: 'missing' | 'additional' | 'type' | 'configuration-revision' | 'name-plate';
  /** `BCU1CTRL`, `BCU1CTRL/QA1XCBR1.Pos.stVal [ST]`, `BCU1CTRL/LLN0.BR.brcb01`. */
  readonly reference: string;
  /** As the file has it; undefined for what is additional. */
  readonly expected: string | undefined;
  /** As the device has it; undefined for what is missing. */
  readonly actual: string | undefined;
}
