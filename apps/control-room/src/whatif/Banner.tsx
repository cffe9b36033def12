import { useApp } from '../app.ts';

/** Says on the display itself that nothing on it is live. */
export function TrialBanner() {
  const app = useApp();
  const tried = () => {
    const count = app.whatIf.count();
    return count === 0 ? 'nothing is changed yet' : `${count} ${count === 1 ? 'change' : 'changes'}`;
  };
  return (
    <div class="trial-banner" role="status">
      <strong>What if</strong>
      <span>Not live: a trial on this screen alone, {tried()}. Nothing is sent to the field, nothing is kept.</span>
      <span class="grow" />
      <button type="button" disabled={app.whatIf.count() === 0} onClick={() => app.whatIf.reset()}>
        Undo all
      </button>
      <button type="button" class="main" onClick={() => app.whatIf.end()}>
        Back to live
      </button>
    </div>
  );
}
