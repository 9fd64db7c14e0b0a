/**
 * Lets two tabs of one volunteer share the galaxies: a galaxy is claimed by a lock of the
 * browser, which lets go by itself when the tab ends. Without locks every claim is granted;
 * the server still counts each galaxy once.
 */

const NAME = "lenticular.galaxy.";

/**
 * @param {Pick<LockManager, "request">|undefined} locks
 * @returns {(id: number, patience?: number) => Promise<boolean>} claims a galaxy until this page
 *   ends; waits `patience` milliseconds for a tab that is just closing
 */
export function claims(locks) {
  /** @type {Set<number>} */
  const mine = new Set();
  return (id, patience = 0) => {
    if (!locks || mine.has(id)) return Promise.resolve(true);
    const wait = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
    return new Promise((resolve) => {
      const held = locks.request(NAME + id, wait, (lock) => {
        resolve(lock !== null);
        if (lock === null) return undefined;
        mine.add(id);
        return new Promise(() => {});
      });
      held.catch(() => resolve(false));
    });
  };
}

/**
 * @param {Pick<LockManager, "request">|undefined} locks
 * @returns {(task: () => Promise<void>) => Promise<void>} runs a task in one tab at a time
 */
export function oneAtATime(locks) {
  return async (task) => {
    await (locks ? locks.request("lenticular.sending", () => task()) : task());
  };
}
